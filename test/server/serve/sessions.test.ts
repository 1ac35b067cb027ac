// Sessions and their connections, on the wire.

import * as localMediasoup from 'mediasoup'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type ServeOptions, leaf, serve } from '../../../server/index.ts'
import { afterTest, cleanUp, isAlive, raw, until } from '../../helper.ts'

cleanUp(test)

const key = { session: 'a-session-of-a-test', secret: 'its-own-secret-0123456789' }

async function open(options?: ServeOptions) {
  const server = await serve(leaf(localMediasoup), options)
  afterTest(() => server.close())
  return server
}

test('a session goes on where its frames ended, in both directions, and each is carried out once', async () => {
  const { url } = await open()
  const first = await raw(url)
  assert.equal((await first.call('tier.open', { ...key, received: 0 })).result, {
    received: 0,
    grace: 30_000,
    maxPayload: 9 * 1024 * 1024
  })
  const { result } = await first.call('mediasoup.createWorker', {})
  const worker = (result as { $: string }).$
  const { result: router } = await first.call('Worker.createRouter', worker, {})
  first.socket.terminate()

  // It has heard of the Worker only, so the Router is announced again, and not made again.
  const second = await raw(url)
  assert.equal((await second.call('tier.open', { ...key, received: 1, resume: true })).result, {
    received: 2,
    grace: 30_000,
    maxPayload: 9 * 1024 * 1024
  })
  await until(() => second.heard.length > 1)
  assert.equal(second.heard[1]!.result, router)
  const { result: dump } = await second.call('Worker.dump', worker)
  assert.equal((dump as { routerIds: string[] }).routerIds, [
    (router as { members: { id: string } }).members.id
  ])
})

test('a second connection takes a session over, and the first is told', async () => {
  const { url } = await open()
  const [first, second] = [await raw(url), await raw(url)]
  await first.call('tier.open', { ...key, received: 0 })
  await second.call('tier.open', { ...key, received: 0, resume: true })
  assert.equal(await first.closed, {
    code: 4409,
    reason: 'the session was taken over by another connection'
  })
  assert.ok((await second.call('tier.hello')).result)
})

test('a session of somebody else is as gone as one that never was', async () => {
  const server = await open()
  const owner = await raw(server.url)
  await owner.call('tier.open', { ...key, received: 0 })
  const answers = []
  for (const opening of [
    { ...key, secret: 'another-secret-0123456789' },
    { ...key, session: 'another-session-of-it', resume: true },
    { ...key, session: 'another-session-of-it', received: 3 }
  ]) {
    const thief = await raw(server.url)
    answers.push({
      error: (await thief.call('tier.open', { received: 0, ...opening })).error,
      closed: await thief.closed
    })
  }
  for (const answer of answers) assert.equal(answer, answers[0])
  assert.is(answers[0]!.error!.code, -32001)
  assert.is(
    answers[0]!.error!.message,
    'the session is gone: it was closed, or its connection was lost for too long'
  )
  assert.is(server.sessions, 1)
  assert.ok((await owner.call('tier.hello')).result)
})

test('an opening that is none is refused with a sentence, and disturbs nobody', async () => {
  const server = await open()
  const owner = await raw(server.url)
  await owner.call('tier.open', { ...key, received: 0 })
  for (const opening of [
    undefined,
    null,
    7,
    {},
    { session: 'short', secret: key.secret, received: 0 },
    { ...key },
    { ...key, received: -1 },
    { ...key, received: 1.5 },
    { ...key, secret: { length: 20 }, received: 0 }
  ]) {
    const { error } = await (await raw(server.url)).call('tier.open', opening)
    assert.is(error?.code, -32602, JSON.stringify(opening))
    assert.match(error!.message, 'tier.open takes {session, secret, received}')
  }
  // Frames that it cannot have.
  const liar = await raw(server.url)
  const { error } = await liar.call('tier.open', { ...key, received: 4711, resume: true })
  assert.match(error!.message, 'the peer must have 0 to 0 frames (it says 4711)')
  assert.ok((await owner.call('tier.hello')).result)
})

test('an acknowledgement of what was never sent ends the session', async () => {
  const server = await open()
  const liar = await raw(server.url)
  await liar.call('tier.open', { ...key, received: 0 })
  liar.send('{"jsonrpc":"2.0","method":"tier.ack","params":[4711]}')
  const { code, reason } = await liar.closed
  assert.is(code, 1011)
  assert.match(reason, 'the peer must have')
  await until(() => server.sessions === 0)
})

test('what has arrived is acknowledged, and the session can be resumed far on', async () => {
  const CALLS = 3_000
  const { url } = await open()
  const first = await raw(url)
  await first.call('tier.open', { ...key, received: 0 })
  for (let i = 0; i < CALLS; i++)
    first.send({ jsonrpc: '2.0', id: i, method: 'tier.pipeListenInfo', params: [] })
  const acknowledged = () => first.heard.filter(({ method }) => method === 'tier.ack').length
  await until(() => first.heard.length - 1 - acknowledged() === CALLS)
  assert.ok(acknowledged() >= 5, `${acknowledged()} acknowledgements`)
  first.send(`{"jsonrpc":"2.0","method":"tier.ack","params":[${CALLS}]}`)
  first.socket.terminate()
  const second = await raw(url)
  assert.is(
    (
      (await second.call('tier.open', { ...key, received: CALLS, resume: true })).result as {
        received: number
      }
    ).received,
    CALLS
  )
  await second.call('tier.hello')
  assert.is(
    second.heard.filter(({ method }) => method !== 'tier.ack').length,
    2,
    'what had arrived does not come again'
  )
  second.socket.close(1000)
  await second.closed
  const third = await raw(url)
  assert.is(
    (await third.call('tier.open', { ...key, received: CALLS, resume: true })).error?.code,
    -32001,
    'who closes does not come back'
  )
})

test('without an opening, a session ends with its connection', async () => {
  const server = await open()
  const plain = await raw(server.url)
  const { result } = await plain.call('mediasoup.createWorker', {})
  plain.socket.terminate()
  await until(
    () => server.sessions === 0 && !isAlive((result as { members: { pid: number } }).members.pid)
  )
})

test('a server that closes ends sessions without a connection, too', async () => {
  const server = await serve(leaf(localMediasoup))
  const first = await raw(server.url)
  await first.call('tier.open', { ...key, received: 0 })
  const { result } = await first.call('mediasoup.createWorker', {})
  first.socket.terminate()
  const { pid } = (result as { members: { pid: number } }).members
  assert.ok(isAlive(pid))
  await server.close()
  await until(() => !isAlive(pid))
})

test.run()
