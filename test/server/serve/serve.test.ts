// The server: its HTTP side, who may open a session, and what becomes of slow peers.

import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { Server as HttpServer } from 'node:http'
import { connect as connectSocket } from 'node:net'
import { SignJWT } from 'jose'
import * as localMediasoup from 'mediasoup'
import type * as ms from 'mediasoup/types'
import { pino } from 'pino'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { WebSocket } from 'ws'
import { ConnectionError, connect } from '../../../client/index.ts'
import { codes } from '../../../lib/errors.ts'
import { PROTOCOL } from '../../../lib/hello.ts'
import { channel } from '../../../lib/tier.ts'
import { encodeNotification } from '../../../lib/wire.ts'
import { type ServeOptions, leaf, serve } from '../../../server/index.ts'
import { afterTest, audio, cleanUp, isAlive, opus, raw, rtp, until } from '../../helper.ts'

cleanUp(test)

/** A leaf in this process, served. */
async function open(options?: ServeOptions) {
  const server = await serve(leaf(localMediasoup), options)
  afterTest(() => server.close())
  return server
}

async function get(url: string, path: string) {
  const response = await fetch(new URL(path, url.replace('ws', 'http')))
  return { status: response.status, body: await response.json() }
}

test('/healthz tells that it is alive, and how many sessions are open', async () => {
  const { url } = await open()
  assert.equal(await get(url, '/healthz'), { status: 200, body: { status: 'ok', sessions: 0 } })
  const peer = await raw(url)
  await peer.call('tier.hello')
  assert.equal((await get(url, '/healthz')).body.sessions, 1)
  peer.socket.close()
  await until(async () => (await get(url, '/healthz')).body.sessions === 0)
})

test('/readyz tells that it is ready', async () => {
  const { url } = await open()
  assert.equal(await get(url, '/readyz'), { status: 200, body: { status: 'ready' } })
})

/** Bytes over bare TCP, and what comes back. */
async function speak(url: string) {
  const { hostname, port } = new URL(url)
  const socket = connectSocket(Number(port), hostname)
  afterTest(() => socket.destroy())
  await once(socket, 'connect')
  let heard = ''
  socket.on('data', chunk => {
    heard += chunk
  })
  return {
    say: (text: string) => socket.write(text),
    heard: () => heard,
    ended: once(socket, 'end')
  }
}

const upgrade = (protocol = PROTOCOL) =>
  [
    'GET / HTTP/1.1',
    'Host: localhost',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    ...(protocol ? [`Sec-WebSocket-Protocol: ${protocol}`] : []),
    '',
    ''
  ].join('\r\n')

test('while it closes, /readyz says so, and no session is opened', async () => {
  const server = await serve(leaf(localMediasoup))
  // Takes its time to go.
  const peer = await raw(server.url)
  peer.socket.pause()
  const [asking, upgrading] = [await speak(server.url), await speak(server.url)]
  // Both are in the middle of their request.
  asking.say('GET /readyz HTTP/1.1\r\nHost: localhost\r\n')
  upgrading.say(upgrade().slice(0, -2))
  await get(server.url, '/healthz')
  const closed = server.close()
  asking.say('Connection: close\r\n\r\n')
  upgrading.say('\r\n')
  await until(() => asking.heard().endsWith('\n') && upgrading.heard().endsWith('\n'))
  assert.match(asking.heard(), /^HTTP\/1\.1 503 [^]*\{"status":"closing"\}/)
  assert.match(upgrading.heard(), /^HTTP\/1\.1 503 [^]*the server is shutting down/)
  peer.socket.resume()
  await closed
})

test('every other path tells what this is', async () => {
  const { url } = await open()
  for (const path of ['/', '/index.html', '/healthz/', '/metrics']) {
    const { status, body } = await get(url, path)
    assert.is(status, 426)
    assert.match(body.error, `connect to it by WebSocket, with the subprotocol ${PROTOCOL}`)
  }
})

test('an upgrade without the subprotocol is refused with a sentence', async () => {
  const { url } = await open()
  for (const [offered, told] of [
    ['', 'none'],
    ['mafalda.v0', 'mafalda.v0'],
    ['chat, mafalda', 'chat,mafalda']
  ] as const) {
    const peer = await speak(url)
    peer.say(upgrade(offered))
    await peer.ended
    assert.match(peer.heard(), /^HTTP\/1\.1 400 Bad Request\r\n/)
    assert.ok(
      peer.heard().endsWith(`the subprotocol must be ${PROTOCOL} (got ${told})\n`),
      peer.heard()
    )
  }
})

test('the subprotocol may be one of several', async () => {
  const { url } = await open()
  const socket = new WebSocket(url, ['chat', PROTOCOL])
  await once(socket, 'open')
  assert.is(socket.protocol, PROTOCOL)
  socket.terminate()
})

test('a session that ends takes its Workers with it, however it ends', async () => {
  const server = await open()
  for (const end of ['close', 'terminate'] as const) {
    const peer = await raw(server.url)
    const { result } = await peer.call('mediasoup.createWorker', {})
    const { pid } = (result as { members: { pid: number } }).members
    assert.ok(isAlive(pid))
    peer.socket[end]()
    await until(() => !isAlive(pid))
    await until(() => server.sessions === 0)
  }
})

test('a Worker that is being created when its session ends is closed', async () => {
  const server = await open()
  const created: ms.Worker[] = []
  const keep = (worker: ms.Worker) => {
    created.push(worker)
  }
  localMediasoup.observer.on('newworker', keep)
  afterTest(() => localMediasoup.observer.off('newworker', keep))
  afterTest(() => created.forEach(worker => worker.close()))
  const peer = await raw(server.url)
  peer.send({ jsonrpc: '2.0', id: 1, method: 'mediasoup.createWorker', params: [{}] })
  peer.send({ jsonrpc: '2.0', id: 2, method: 'tier.hello', params: [] })
  await until(() => peer.heard.find(({ id }) => id === 2))
  assert.is(created.length, 0)
  peer.socket.terminate()
  const worker = await until(() => created[0])
  await until(() => worker.closed && !isAlive(worker.pid))
})

test('close() ends all sessions, and frees the port', async () => {
  const server = await serve(leaf(localMediasoup))
  const clients = [
    await connect(server.url, { reconnect: false }),
    await connect(server.url, { reconnect: false })
  ]
  const workers = await Promise.all(clients.map(client => client.createWorker()))
  assert.is(server.sessions, 2)
  await server.close()

  assert.is(server.sessions, 0)
  await until(() => workers.every(({ died }) => died))
  await until(() => !workers.some(({ pid }) => isAlive(pid)))
  const again = await open({ port: Number(new URL(server.url).port) })
  assert.is(again.url, server.url)
})

test('a port in use rejects with the error of the system', async () => {
  const { url } = await open()
  const error = await serve(leaf(localMediasoup), { port: Number(new URL(url).port) }).catch(
    error => error
  )
  assert.is(error.code, 'EADDRINUSE')
})

test('the URL of an IPv6 address has brackets', async () => {
  const { url } = await open({ host: '::1' })
  assert.match(url, /^ws:\/\/\[::1\]:\d+$/)
  const mediasoup = await connect(url)
  mediasoup.close()
})

test('a peer that asks much and reads nothing is not read any more, and cut; its Workers are closed, and others go on', async () => {
  const server = await open({ silence: 500 })
  const bystander = await connect(server.url)
  afterTest(() => bystander.close())
  const worker = await bystander.createWorker()
  const slow = await raw(server.url)
  const { result } = await slow.call('mediasoup.createWorker', {})
  const { pid } = (result as { members: { pid: number } }).members

  slow.socket.pause()
  for (let i = 0; i < 50_000; i++)
    slow.send({ jsonrpc: '2.0', id: i, method: 'rpc.discover', params: [] })
  await until(() => server.sessions === 1)
  await until(() => !isAlive(pid))
  assert.ok((await worker.createRouter()).id)
  slow.socket.resume()
  assert.is((await slow.closed).code, 1006)
})

/** Counts the messages that the DataConsumers of this process have got from their workers. */
function countMessages() {
  let count = 0
  const onWorker = (worker: ms.Worker) =>
    worker.observer.on('newrouter', router =>
      router.observer.on('newtransport', transport =>
        transport.observer.on('newdataconsumer', dataConsumer =>
          dataConsumer.on('message', () => {
            count++
          })
        )
      )
    )
  localMediasoup.observer.on('newworker', onWorker)
  afterTest(() => localMediasoup.observer.off('newworker', onWorker))
  return () => count
}

test('for a peer that reads too slowly packets are dropped, and messages are not', async () => {
  const MESSAGES = 400
  const passed = countMessages()
  const server = await open()
  const peer = await raw(server.url)
  const call = async (method: string, ...params: unknown[]) => {
    const { result, error } = await peer.call(method, ...params)
    assert.is(error, undefined)
    return result as { $: string; members: { id: string; rtpCapabilities: unknown } }
  }
  const worker = await call('mediasoup.createWorker', {})
  const router = await call('Worker.createRouter', worker.$, { mediaCodecs: [opus] })
  const transport = await call('Router.createDirectTransport', router.$)
  const producer = await call('DirectTransport.produce', transport.$, audio())
  const dataProducer = await call('DirectTransport.produceData', transport.$)
  await call('DirectTransport.consume', transport.$, {
    producerId: producer.members.id,
    rtpCapabilities: router.members.rtpCapabilities
  })
  await call('DirectTransport.consumeData', transport.$, {
    dataProducerId: dataProducer.members.id
  })
  let sequence = 0
  const sendPacket = () =>
    peer.send(encodeNotification('Producer.send', [producer.$, rtp(++sequence)]))
  const sendMessage = (message: Buffer) =>
    peer.send(encodeNotification('DataProducer.send', [dataProducer.$, message]))
  const heard = (method: string) => peer.heard.filter(message => message.method === method).length
  sendPacket()
  await until(() => heard('Consumer.rtp') === 1)

  // Much more than what sockets hold by themselves.
  peer.socket.pause()
  for (let i = 0; i < MESSAGES; i++) sendMessage(Buffer.alloc(100_000, i))
  for (let i = 0; i < MESSAGES; i++) sendPacket()
  sendMessage(Buffer.from('last'))
  await until(() => passed() === MESSAGES + 1)
  peer.socket.resume()
  await until(() => heard('DataConsumer.message') === MESSAGES + 1)
  assert.is(heard('Consumer.rtp'), 1)

  sendPacket()
  await until(() => heard('Consumer.rtp') === 2)
})

test('however the session on a tier below ends, that of the client ends with a code that can be sent', async () => {
  let code = 0
  const { url } = await serve({
    close() {},
    async open() {
      const [ours, theirs] = channel()
      ours.on('frame', () =>
        ours.close(
          new ConnectionError('the connection to the tier below was lost', { closeCode: code })
        )
      )
      return theirs
    }
  }).then(server => (afterTest(() => server.close()), server))
  for (code of [1000, 1004, 1005, 1006, 1012, 1015, 2000, 4001]) {
    const peer = await raw(url)
    peer.send(encodeNotification('tier.log', []))
    assert.is((await peer.closed).code, [1000, 1012, 4001].includes(code) ? code : 1011)
  }
})

/** A tier that counts its sessions. */
function countingTier(open: () => Promise<void> = async () => {}) {
  const counts = { opened: 0, closed: 0 }
  return {
    counts,
    close() {},
    async open() {
      counts.opened++
      await open()
      const [ours, theirs] = channel()
      ours.once('close', () => counts.closed++)
      return theirs
    }
  }
}

const opening = (session: number) => ({
  session: `a-session-of-a-test-${session}`,
  secret: 'its-own-secret-0123456789',
  received: 0
})

/** Leaves sessions behind in their grace period: without connections. */
async function leaveSessions(url: string, count: number) {
  for (let i = 0; i < count; i++) {
    const peer = await raw(url)
    await peer.call('tier.open', opening(i))
    peer.socket.terminate()
    await peer.closed
  }
}

test('a session that is refused opens nothing on the tier, and is told why', async () => {
  const tier = countingTier()
  const server = await serve(tier, { limits: { sessions: 3 }, grace: 60_000 })
  afterTest(() => server.close())
  await leaveSessions(server.url, 3)
  for (let i = 3; i < 6; i++) {
    const peer = await raw(server.url)
    const { error } = await peer.call('tier.open', opening(i))
    assert.equal([error?.code, error?.message], [codes.sessions, 'this tier has its 3 sessions'])
    assert.equal(await peer.closed, { code: 4429, reason: 'this tier has its 3 sessions' })
  }
  const peer = await raw(server.url)
  peer.send({ jsonrpc: '2.0', id: 1, method: 'tier.hello', params: [] })
  assert.is((await peer.closed).code, 4429)
  assert.equal(tier.counts, { opened: 3, closed: 0 })
  await server.close()
  await until(() => tier.counts.closed === 3)
})

test('a session that is refused while the tier cannot be reached leaves no rejection behind', async () => {
  const rejections: unknown[] = []
  const listener = (reason: unknown) => rejections.push(reason)
  process.on('unhandledRejection', listener)
  afterTest(() => process.off('unhandledRejection', listener))
  let reachable = true
  const tier = countingTier(async () => {
    if (!reachable) throw new ConnectionError('the tier cannot be reached')
  })
  const server = await serve(tier, {
    limits: { sessions: 1 },
    grace: 60_000,
    logger: pino({ level: 'silent' })
  })
  afterTest(() => server.close())
  await leaveSessions(server.url, 1)
  reachable = false
  const peer = await raw(server.url)
  await peer.call('tier.open', opening(1))
  await peer.closed
  await new Promise(resolve => setImmediate(resolve))
  assert.equal(rejections, [])
})

test('a server closes although the token of an upgrade is being verified', async () => {
  const secret = randomBytes(32)
  const server = await serve(leaf(localMediasoup), { tokens: { secret, audience: 'a-test' } })
  const token = await new SignJWT({ scope: 'create' })
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject('app')
    .setAudience('a-test')
    .setExpirationTime('1h')
    .sign(secret)
  const peer = await speak(server.url)
  // In the turn in which the upgrade is read, before the token is verified.
  let closed: Promise<void> | undefined
  const emit = HttpServer.prototype.emit as (event: string, ...args: unknown[]) => boolean
  HttpServer.prototype.emit = function (this: HttpServer, event: string, ...args: unknown[]) {
    const result = emit.call(this, event, ...args)
    if (event === 'upgrade') closed ??= server.close()
    return result
  }
  afterTest(() => {
    HttpServer.prototype.emit = emit
  })
  peer.say(upgrade().replace('\r\n\r\n', `\r\nAuthorization: Bearer ${token}\r\n\r\n`))
  await until(() => closed !== undefined)
  await closed
  await until(() => peer.heard().endsWith('\n'))
  assert.match(peer.heard(), /^HTTP\/1\.1 503 [^]*the server is shutting down/)
})

test.run()
