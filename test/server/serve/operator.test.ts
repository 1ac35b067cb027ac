// What the operator of a tier sees of its sessions, and how he ends them: by a kick, by the deny
// list, and by their age.

import { appendFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as localMediasoup from 'mediasoup'
import { pino } from 'pino'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { connect, remote } from '../../../client/index.ts'
import { codes } from '../../../lib/errors.ts'
import type { SessionInfo } from '../../../lib/session-info.ts'
import { horizontal } from '../../../proxy/index.ts'
import { type ServeOptions, leaf, serve } from '../../../server/index.ts'
import { authority, folder } from '../../certificates.ts'
import { afterTest, cleanUp, isAlive, raw, rejection, run, startLeaf, until } from '../../helper.ts'
import { AUDIENCE, secretIssuer } from '../../tokens.ts'

cleanUp(test)

const silent = pino({ level: 'silent' })

async function open(options: ServeOptions = {}, tier = leaf(localMediasoup)) {
  const { key: secret, issue } = secretIssuer()
  const server = await serve(tier, {
    tokens: { secret, audience: AUDIENCE },
    logger: silent,
    ...options
  })
  afterTest(() => server.close())
  return { server, url: server.url, issue }
}

const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } })

async function use(url: string, token: string) {
  const mediasoup = await connect(url, { token, reconnect: false })
  afterTest(() => mediasoup.close())
  const died = new Promise<string>(resolve =>
    mediasoup.connection.once('died', ({ message }) => resolve(message))
  )
  return { mediasoup, died }
}

const listOf = async (operator: Awaited<ReturnType<typeof raw>>) =>
  ((await operator.call('tier.sessions')).result as { sessions: SessionInfo[] }).sessions

test('an operator sees whose sessions there are, and nobody else does', async () => {
  const { url, issue } = await open()
  const { mediasoup } = await use(url, await issue({ sub: 'alice' }))
  const worker = await mediasoup.createWorker()
  await worker.createRouter()
  const operator = await raw(url, bearer(await issue({ sub: 'operator', scope: 'operate' })))
  const sessions = await listOf(operator)
  assert.equal(
    sessions.map(({ subject, address, objects }) => [subject, address, objects]),
    [
      ['alice', '127.0.0.1', 2],
      ['operator', '127.0.0.1', 0]
    ]
  )
  assert.ok(sessions.every(({ id, age }) => /^[\w-]{8}$/.test(id) && age >= 0 && age < 600_000))
  const observer = await raw(url, bearer(await issue({ scope: 'observe create' })))
  for (const method of ['tier.sessions', 'tier.kick'])
    assert.is((await observer.call(method, { subject: 'alice' })).error!.code, codes.forbidden)
  worker.close()
  await until(async () => (await listOf(operator))[0]!.objects === 0)
})

test('a kick ends the sessions of a subject with all that they have, and they do not go on', async () => {
  const { server, url, issue } = await open()
  const key = { session: 's'.repeat(16), secret: 'x'.repeat(32), received: 0 }
  const token = await issue({ sub: 'alice' })
  const [kicked, away] = [await raw(url, bearer(token)), await raw(url, bearer(token))]
  await kicked.call('tier.open', key)
  await away.call('tier.open', { ...key, session: 'a'.repeat(16) })
  const { result } = await kicked.call('mediasoup.createWorker', {})
  const { pid } = (result as { members: { pid: number } }).members
  away.socket.terminate()
  const { mediasoup: bob } = await use(url, await issue({ sub: 'bob' }))

  const operator = await raw(url, bearer(await issue({ sub: 'operator' })))
  assert.equal((await operator.call('tier.kick', { subject: 'alice' })).result, { count: 2 })
  assert.equal(await kicked.closed, { code: 4403, reason: 'the operator has ended the session' })
  await until(() => !isAlive(pid))
  assert.is(server.sessions, 2)
  const again = await raw(url, bearer(token))
  const { error } = await again.call('tier.open', { ...key, received: 1, resume: true })
  assert.is(error!.code, codes.session)
  assert.ok((await bob.createWorker()).pid)
  assert.equal((await operator.call('tier.kick', { subject: 'alice' })).result, { count: 0 })
})

test('a client learns why it was kicked, and its session is not resumed', async () => {
  const { url, issue } = await open()
  const { mediasoup, died } = await use(url, await issue({ sub: 'alice' }))
  const other = await use(url, await issue({ sub: 'alice' }))
  const operator = await raw(url, bearer(await issue({ sub: 'operator' })))
  const [{ id }] = (await listOf(operator)) as [SessionInfo]
  assert.equal((await operator.call('tier.kick', { id, subject: 'bob' })).result, { count: 0 })
  assert.equal((await operator.call('tier.kick', { id })).result, { count: 1 })
  assert.is(await died, 'the connection was lost: the operator has ended the session')
  assert.not(mediasoup.connection.connected)
  assert.ok((await other.mediasoup.createWorker()).pid)
})

test('a kick that names nobody, or not in words, ends nothing', async () => {
  const { server, url, issue } = await open()
  const operator = await raw(url, bearer(await issue({ sub: 'operator' })))
  const { mediasoup } = await use(url, await issue())
  for (const which of [undefined, null, {}, [], 'app', { subject: 7 }, { id: null }]) {
    const { error } = await operator.call('tier.kick', which)
    assert.is(error?.code, codes.params, JSON.stringify(which))
  }
  assert.equal((await operator.call('tier.kick', { subject: 'operator' })).result, { count: 0 })
  assert.is(server.sessions, 2)
  assert.ok((await mediasoup.createWorker()).pid)
})

test('a proxy tells of its own sessions, and those of its clients end on the hosts, too', async () => {
  const host = await open({ tokens: undefined })
  const cluster = horizontal([remote(host.url)])
  afterTest(() => cluster.close())
  await new Promise(resolve => cluster.once('up', resolve))
  const { url, issue } = await open({}, cluster as never)
  const { mediasoup, died } = await use(url, await issue({ sub: 'alice' }))
  const { pid } = await mediasoup.createWorker()
  const operator = await raw(url, bearer(await issue({ sub: 'operator' })))
  assert.equal(
    (await listOf(operator)).map(({ subject }) => subject),
    ['alice', 'operator']
  )
  await operator.call('tier.kick', { subject: 'alice' })
  assert.match(await died, 'the operator has ended the session')
  await until(() => !isAlive(pid))
})

test('who is on the deny list is not let in, and open sessions of theirs end at once', async () => {
  const deny = join(folder(), 'deny')
  writeFileSync(deny, '# Nobody yet.\n')
  const { server, url, issue } = await open({ deny })
  const tokens = {
    alice: await issue({ sub: 'alice' }),
    stolen: await issue({ sub: 'bob', jti: '4711' }),
    bob: await issue({ sub: 'bob', jti: '4712' })
  }
  const alice = await use(url, tokens.alice)
  const { pid } = await alice.mediasoup.createWorker()
  const [stolen, bob] = [await use(url, tokens.stolen), await use(url, tokens.bob)]
  const quiet = await raw(url, bearer(tokens.alice))

  appendFileSync(deny, 'sub alice\njti 4711\n')
  server.reload()
  assert.match(await alice.died, 'the operator has denied the subject')
  assert.match(await stolen.died, 'the operator has denied the token')
  await until(() => !isAlive(pid))
  assert.ok((await bob.mediasoup.createWorker()).pid)
  quiet.send({ jsonrpc: '2.0', id: 1, method: 'tier.hello', params: [] })
  assert.equal(await quiet.closed, { code: 4401, reason: 'the operator has denied the subject' })
  assert.match(
    (await rejection(connect(url, { token: tokens.alice, reconnect: false }))).message,
    'it answered 401 the operator has denied the subject'
  )
  const first = await raw(url)
  const { error } = await first.call('tier.authenticate', { token: tokens.stolen })
  assert.is(error!.message, 'the operator has denied the token')
  writeFileSync(deny, '')
  server.reload()
  await use(url, tokens.alice)
})

test('a deny list that cannot be used is refused at the start, and later the one before stays', async () => {
  const deny = join(folder(), 'deny')
  writeFileSync(deny, 'alice\n')
  const why = 'a line of the deny list is "sub" or "jti", and what is denied (line 1 is not)'
  assert.is((await rejection(serve(leaf(localMediasoup), { deny }))).message, why)
  writeFileSync(deny, 'sub alice\n')
  const said: { msg: string; reason?: string }[] = []
  const logger = pino({}, { write: line => void said.push(JSON.parse(line)) })
  const { server, url, issue } = await open({ deny, logger })
  writeFileSync(deny, 'nonsense\n')
  server.reload()
  const { msg, reason } = said.at(-1)!
  assert.equal([msg, reason], ['the deny list cannot be used: the one before stays', why])
  await rejection(connect(url, { token: await issue({ sub: 'alice' }), reconnect: false }))
})

test('a session ends at its greatest age, also without a connection', async () => {
  const { server, url, issue } = await open({ maxSessionAge: 4_000 })
  const { mediasoup, died } = await use(url, await issue())
  const { pid } = await mediasoup.createWorker()
  const away = await raw(url, bearer(await issue()))
  await away.call('tier.open', { session: 's'.repeat(16), secret: 'x'.repeat(32), received: 0 })
  away.socket.terminate()
  assert.is(await died, 'the connection was lost: a session lives for at most 4000 ms')
  await until(() => !isAlive(pid) && server.sessions === 0)
})

test('mafalda sessions and mafalda kick ask a tier', async () => {
  const { url } = await open({ tokens: undefined })
  const mediasoup = await connect(url, { reconnect: false })
  afterTest(() => mediasoup.close())
  const died = new Promise(resolve => mediasoup.connection.once('died', resolve))
  await mediasoup.createWorker()
  const [table, json] = [run(['sessions', url]), run(['sessions', url, '--json'])]
  await Promise.all([table.exited, json.exited])
  assert.match(table.lines[0]!, /^id +subject +address +age +objects$/)
  assert.match(table.lines[1]!, /^[\w-]{8} +127\.0\.0\.1 +\d+ s +1$/)
  const [{ id, objects }] = JSON.parse(json.lines.join('')) as [SessionInfo]
  assert.is(objects, 1)
  const [nobody, kick] = [run(['kick', url, 'nobody']), run(['kick', url, '--session', id])]
  assert.equal(await nobody.exited, [1, null])
  assert.equal(await kick.exited, [0, null])
  assert.equal(kick.lines, ['1 session has ended'])
  await died
})

test('mafalda serve has these as options, and reads the files again on SIGHUP', async () => {
  const [path, tls] = [folder(), await authority()]
  const { secret, issue } = secretIssuer()
  const files = {
    secret: join(path, 'secret'),
    deny: join(path, 'deny'),
    scopes: join(path, 'scopes.json'),
    crl: await tls.revoke(join(path, 'crl'))
  }
  writeFileSync(files.secret, secret)
  writeFileSync(files.deny, '')
  writeFileSync(files.scopes, '{"*":{"scope":"observe create"}}')
  const [own, app] = [await tls.issue('leaf'), await tls.issue('app')]
  const leaf = await startLeaf([
    ...['--tls-cert', own.cert, '--tls-key', own.key, '--tls-ca', tls.ca, '--tls-crl', files.crl],
    ...['--client-scopes', files.scopes, '--token-secret', files.secret],
    ...['--token-audience', AUDIENCE, '--token-max-life', '7200', '--token-require-sub'],
    ...['--token-deny', files.deny, '--max-session-age', '3600']
  ])
  const open = (token: string) =>
    connect(leaf.url, { token, reconnect: false, tls: { ca: tls.ca, ...app } })
  const mediasoup = await open(await issue())
  afterTest(() => mediasoup.close())
  const died = new Promise<Error>(resolve => mediasoup.connection.once('died', resolve))
  assert.match(
    (await rejection(mediasoup.connection.getLoad())).message,
    'tier.load needs the scope operate, and the token with its certificate has observe, create'
  )
  assert.match((await rejection(open(await issue({ expires: 9000 })))).message, 'within 7200 s')
  assert.match((await rejection(open(await issue({ sub: undefined })))).message, 'the claim sub')
  writeFileSync(files.deny, 'sub app\n')
  leaf.child.kill('SIGHUP')
  assert.match((await died).message, 'the operator has denied the subject')
})

test.run()
