// The audit: who came in, was refused, and left; and what becomes of those who guess.

import { existsSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import * as localMediasoup from 'mediasoup'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { connect } from '../../../client/index.ts'
import { type AuditRecord, type ServeOptions, leaf, serve } from '../../../server/index.ts'
import { Guesses } from '../../../server/serve/guesses.ts'
import { OffenceCounter } from '../../../server/serve/offence-counter.ts'
import { folder } from '../../certificates.ts'
import { afterTest, cleanUp, raw, rejection, run, startLeaf, until } from '../../helper.ts'
import { AUDIENCE, secretIssuer } from '../../tokens.ts'

cleanUp(test)

const HERE = '127.0.0.1'
const key = { session: 'a-session-of-a-test', secret: 'its-own-secret-0123456789' }

/** A tier with tokens, and what its audit is told. */
async function open(options: ServeOptions = {}) {
  const { key: secret, issue } = secretIssuer()
  const records: AuditRecord[] = []
  const tier = leaf(localMediasoup)
  const server = await serve(tier, {
    tokens: { audience: AUDIENCE, secret },
    audit: record => records.push(record),
    ...options
  })
  afterTest(() => server.close())
  const { node } = tier

  /** The records since the last time, without what is in all of them. */
  function told() {
    return records.splice(0).map(({ time, node: from, address, ...facts }) => {
      assert.ok(Date.parse(time) > 0)
      assert.equal([from, address], [node, HERE])
      return facts
    })
  }
  const heard = (event: string) => until(() => records.some(record => record.event === event))
  return { url: server.url, issue, told, heard }
}

test('who comes in, opens, resumes, renews and leaves has a record, with subject, jti and session', async () => {
  const { url, issue, told, heard } = await open()
  const token = await issue({ sub: 'alice', jti: 'first' })
  const [alice, first] = [{ subject: 'alice' }, { subject: 'alice', jti: 'first' }]
  const peer = await raw(url)
  await peer.call('tier.authenticate', { token })
  await peer.call('tier.open', { ...key, received: 0 })
  const [connected, { session, ...opened } = {}] = told()
  assert.equal(connected, { event: 'connected' })
  assert.equal(opened, { event: 'opened', ...first })
  assert.ok(session && !key.session.includes(session))

  await peer.call('tier.authenticate', { token: await issue({ sub: 'alice', jti: 'second' }) })
  assert.equal(told(), [{ event: 'renewed', session, ...alice, jti: 'second' }])

  const again = await raw(url)
  await again.call('tier.authenticate', { token })
  await again.call('tier.open', { ...key, received: 0, resume: true })
  assert.equal(told(), [{ event: 'connected' }, { event: 'resumed', session, ...first }])

  again.socket.close(1000)
  await heard('closed')
  assert.equal(told(), [{ event: 'closed', session, ...first, reason: undefined }])
})

test('who is refused has a record with the reason, at the upgrade and after it', async () => {
  const { url, issue, told, heard } = await open({ limits: { sessions: 1 } })
  const refusals: [token: string, reason: string][] = [
    [await issue({ expires: -1 }), 'the token has expired'],
    [await issue({ audience: 'else' }), `the token must be for the audience ${AUDIENCE}`]
  ]
  for (const [token, reason] of refusals) {
    await rejection(connect(url, { token, reconnect: false }))
    assert.equal(told(), [{ event: 'refused', status: 401, reason }])
    const peer = await raw(url)
    await peer.call('tier.authenticate', { token })
    assert.equal(told(), [{ event: 'connected' }, { event: 'refused', reason }])
  }
  const token = await issue({ sub: 'alice', jti: 'first' })
  const alice = { subject: 'alice', jti: 'first' }
  const mediasoup = await connect(url, { token })
  afterTest(() => mediasoup.close())
  assert.equal(
    told().map(({ event }) => event),
    ['connected', 'opened']
  )
  await rejection(connect(url, { token, reconnect: false }))
  const reason = 'this tier has its 1 sessions'
  assert.equal(told(), [{ event: 'refused', status: 503, ...alice, reason }])
  await raw(url)
  await heard('refused') // It has never said who it is.
  assert.match(told().at(-1)?.reason ?? '', 'the first message is tier.authenticate')
})

test('a wrong secret of a session, and a token that does not renew, have a record', async () => {
  const { url, issue, told } = await open()
  const token = await issue({ sub: 'alice' })
  const [owner, thief] = [await raw(url), await raw(url)]
  await owner.call('tier.authenticate', { token })
  await owner.call('tier.open', { ...key, received: 0 })
  await thief.call('tier.authenticate', { token })
  told()
  await thief.call('tier.open', { ...key, secret: 'wrong-0123456789', received: 0, resume: true })
  const [refused] = told()
  assert.is(refused?.event, 'refused')
  assert.match(refused?.reason ?? '', /^the session is gone/)
  await owner.call('tier.authenticate', { token: await issue({ sub: 'bob' }) })
  const [renewal] = told()
  assert.is(renewal?.event, 'refused')
  assert.is(renewal?.subject, 'alice')
  assert.is(renewal?.reason, 'a token is renewed for the subject that it was for')
})

test('who drains a host, or cancels that, has a record; who may not has none', async () => {
  const { url, issue, told } = await open()
  const peer = await raw(url)
  await peer.call('tier.authenticate', { token: await issue({ sub: 'alice', scope: 'create' }) })
  await peer.call('tier.drain', {})
  const operator = await raw(url)
  await operator.call('tier.authenticate', { token: await issue({ sub: 'ops' }) })
  await operator.call('tier.hello')
  told()
  await peer.call('tier.drain', {})
  await operator.call('tier.drain', { deadline: -1 })
  assert.equal(told(), [])
  await operator.call('tier.drain', { deadline: 600_000 })
  await operator.call('tier.drain', { cancel: true })
  assert.equal(
    told().map(({ event, subject }) => [event, subject]),
    [
      ['drained', 'ops'],
      ['cancelled', 'ops']
    ]
  )
})

test('many refusals of an address have few records', async () => {
  const { url, told } = await open()
  for (let i = 0; i < 23; i++) {
    const answer = await fetch(url.replace('ws:', 'http:')).then(({ status }) => status)
    assert.is(answer, 426)
    await rejection(connect(`${url}/nowhere`, { reconnect: false }))
  }
  assert.is(told().length, 20)
})

test('one who guesses waits for each answer after the first 20; who is right comes in', async () => {
  const { url, issue } = await open()
  const wrong = await issue({ audience: 'else' })
  const guess = () => rejection(connect(url, { token: wrong, reconnect: false }))
  for (let i = 0; i < 20; i++) await guess()
  const begin = performance.now()
  assert.match((await guess()).message, 'the token must be for the audience')
  assert.ok(performance.now() - begin > 990)
  const mediasoup = await connect(url, { token: await issue(), reconnect: false })
  mediasoup.close()
})

test('guesses of one address make none wait of another, nor those of the next minute', async () => {
  const guesses = new Guesses()
  for (let i = 0; i < 20; i++) await guesses.wait('192.0.2.1')
  let isAnswered = false
  const answered = guesses.wait('192.0.2.1').then(() => (isAnswered = true))
  await guesses.wait('192.0.2.2')
  assert.not(isAnswered)
  await Promise.race([answered, until(() => isAnswered)])

  const counter = new OffenceCounter()
  assert.equal(counter.add('2001:db8::1', 0), { count: 1, before: 0 })
  assert.equal(counter.add('2001:db8::2', 59_999), { count: 2, before: 0 })
  assert.equal(counter.add('2001:db8::3', 60_000), { count: 1, before: 2 })
  for (let i = 0; i < 10_000; i++) counter.add(`10.0.${i >> 8}.${i & 255}`, 60_001)
  assert.is(counter.add('2001:db8::3', 60_002).count, 1)
})

const linesOf = (file: string) =>
  existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n').filter(Boolean) : []

test('--audit-log writes a line for each, and goes on in a new file on SIGHUP', async () => {
  const file = join(folder(), 'audit.jsonl')
  const { url, child } = await startLeaf(['--audit-log', file, '--drain-deadline', '600'])
  const mediasoup = await connect(url)
  afterTest(() => mediasoup.close())
  await mediasoup.createWorker()
  await until(() => linesOf(file).length === 2)
  const events = linesOf(file).map(line => JSON.parse(line).event)
  assert.equal(events, ['connected', 'opened'])

  renameSync(file, `${file}.1`)
  child.kill('SIGHUP')
  await until(() => existsSync(file))
  child.kill('SIGTERM')
  await until(() => linesOf(file).some(line => line.includes('"drained"')))
  assert.match(linesOf(file)[0]!, '"event":"drained"')
  assert.match(linesOf(file)[0]!, '"reason":"SIGTERM"')
  assert.is(linesOf(`${file}.1`).length, 2)
})

test('a disk that is full ends no tier, and is in the log once', async () => {
  const { url, lines } = await startLeaf(['--audit-log', '/dev/full'])
  for (let i = 0; i < 3; i++) {
    const mediasoup = await connect(url)
    await mediasoup.createWorker()
    mediasoup.close()
  }
  const broken = () => lines.filter(line => line.includes('the audit log cannot be written'))
  await until(() => broken().length)
  assert.is(broken().length, 1)
  assert.match(broken()[0]!, 'ENOSPC')
})

test('an audit log that cannot be opened is said at the start', async () => {
  const { exited, errors } = run(['serve', '--audit-log', '/nowhere/audit.jsonl'])
  assert.is((await exited)[0], 1)
  assert.match(errors.join('\n'), 'mafalda: the audit log cannot be opened: ENOENT')
})

test.run()
