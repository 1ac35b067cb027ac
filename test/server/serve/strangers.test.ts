// Before it is known who is there: what a connection may send, and whom it may keep out.

import { PassThrough } from 'node:stream'
import * as localMediasoup from 'mediasoup'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { connect } from '../../../client/index.ts'
import { codes } from '../../../lib/errors.ts'
import { type ServeOptions, leaf, serve } from '../../../server/index.ts'
import { Strangers } from '../../../server/serve/strangers.ts'
import { afterTest, cleanUp, raw, until } from '../../helper.ts'
import { AUDIENCE, secretIssuer } from '../../tokens.ts'

cleanUp(test)

type Streams = [PassThrough, PassThrough, PassThrough, PassThrough]

async function open(limits: ServeOptions['limits'] = {}) {
  const issuer = secretIssuer()
  const tokens = { audience: AUDIENCE, secret: issuer.key }
  const server = await serve(leaf(localMediasoup), { tokens, limits })
  afterTest(() => server.close())
  return { url: server.url, issue: issuer.issue }
}

test('a first message that is large is not parsed, and ends its connection only', async () => {
  const { url, issue } = await open()
  const bystander = await connect(url, { token: await issue() })
  afterTest(() => bystander.close())
  for (const bytes of [17_000, 4_000_000]) {
    const peer = await raw(url)
    // JSON.parse() takes seconds for a message of brackets.
    peer.send('['.repeat(bytes))
    const { code, reason } = await peer.closed
    assert.ok(code === 1006 || reason === 'tier.authenticate has at most 16384 bytes', reason)
    assert.ok((await bystander.connection.getLoad()).capacity)
  }
  const peer = await raw(url)
  peer.send({
    jsonrpc: '2.0',
    id: 1,
    method: 'tier.authenticate',
    params: [{ token: 'x'.repeat(16_400) }]
  })
  await until(() => peer.heard.length)
  assert.is(peer.heard[0]!.error!.code, codes.size)
  assert.is((await peer.closed).code, 4429)
})

test('a message in very many pieces is cut before it is there', async () => {
  const { url } = await open()
  const peer = await raw(url)
  for (let i = 0; i < 10_000; i++) peer.socket.send('[', { fin: false })
  assert.is((await peer.closed).code, 1006)
})

test('a message has at most 1,024 fragments', async () => {
  const { url, issue } = await open()
  const authorized = { headers: { authorization: `Bearer ${await issue()}` } }
  for (const options of [{}, authorized]) {
    const peer = await raw(url, options)
    for (let i = 0; i < 1_100; i++) peer.socket.send('', { fin: false })
    assert.is((await peer.closed).code, 1008)
  }
})

test('connections without a token keep out nobody who has one', async () => {
  const { url, issue } = await open({ sessionsPerAddress: 2 })
  const strangers = await Promise.all(Array.from({ length: 10 }, () => raw(url)))
  for (let i = 0; i < 2; i++) {
    const mediasoup = await connect(url, { token: await issue(), reconnect: false })
    afterTest(() => mediasoup.close())
  }
  assert.ok(strangers.some(({ socket }) => socket.readyState === socket.OPEN))
})

test('a connection counts from when it is known who is there', async () => {
  const { url, issue } = await open({ sessionsPerAddress: 1 })
  const [first, second] = [await raw(url), await raw(url)]
  // A tier above, which may operate, counts its clients by itself.
  const token = await issue({ scope: 'create' })
  assert.ok((await first.call('tier.authenticate', { token })).result)
  const { error } = await second.call('tier.authenticate', { token })
  assert.is(error?.code, codes.sessions)
  assert.equal(await second.closed, { code: 4429, reason: 'one address has at most 1 sessions' })
  assert.ok((await first.call('tier.hello')).result)
})

test('the oldest of too many connections without a token makes room for the next one', () => {
  const strangers = new Strangers(2)
  const [first, second, third, fourth] = Array.from(
    { length: 4 },
    () => new PassThrough()
  ) as Streams
  const streams = [first, second, third, fourth]
  const leave = strangers.add(first)
  strangers.add(second)
  leave()
  strangers.add(third)
  assert.equal(
    streams.map(({ destroyed }) => destroyed),
    [false, false, false, false]
  )
  strangers.add(fourth)
  assert.equal(
    streams.map(({ destroyed }) => destroyed),
    [false, true, false, false]
  )
})

test.run()
