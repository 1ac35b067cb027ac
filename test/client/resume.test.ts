// A session outlives its connections: whatever breaks, and wherever, the application sees what it
// would see without.

import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import * as localMediasoup from 'mediasoup'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { WebSocket, WebSocketServer } from 'ws'
import { type RemoteMediasoup, client, connect, remote } from '../../client/index.ts'
import { PROTOCOL } from '../../lib/hello.ts'
import { type ServeOptions, leaf, serve } from '../../server/index.ts'
import { afterTest, audio, cleanUp, isAlive, opus, rejection, until } from '../helper.ts'
import { type Cut, type Direction, startRelay } from '../relay.ts'

cleanUp(test)

async function start(cut?: Cut, options?: ServeOptions) {
  const server = await serve(leaf(localMediasoup), options)
  afterTest(() => server.close())
  return { server, relay: await startRelay(server.url, cut) }
}

async function use(url: string, options?: Parameters<typeof connect>[1]) {
  const mediasoup = await connect(url, options)
  afterTest(() => mediasoup.close())
  const heard: string[] = []
  for (const event of ['lost', 'died', 'regained', 'close'] as const)
    mediasoup.connection.on(event, () => heard.push(event))
  return { mediasoup, heard }
}

const MESSAGES = 20

/** Calls of every sort, with events and messages; answers all that the application was told. */
async function scenario(mediasoup: RemoteMediasoup) {
  const log: unknown[] = []
  const worker = await mediasoup.createWorker()
  const router = await worker.createRouter({ mediaCodecs: [opus] })
  const [here, there] = await Promise.all([
    router.createDirectTransport(),
    router.createDirectTransport()
  ])
  const producer = await here.produce(audio())
  const consumer = await there.consume({
    producerId: producer.id,
    rtpCapabilities: router.rtpCapabilities
  })
  for (const event of ['producerpause', 'producerresume', 'producerclose'] as const)
    consumer.on(event, () => log.push(event))
  await producer.pause()
  await Promise.all([consumer.pause(), consumer.resume(), producer.resume()])

  const dataProducer = await here.produceData({ label: 'chat' })
  const dataConsumer = await there.consumeData({ dataProducerId: dataProducer.id })
  const messages: string[] = []
  dataConsumer.on('message', message => messages.push(message.toString()))
  for (let i = 0; i < MESSAGES; i++) dataProducer.send(i % 2 ? String(i) : Buffer.from(String(i)))
  await until(() => messages.length >= MESSAGES)
  log.push(messages)

  const failure = await router.createWebRtcTransport({ listenInfos: [] }).catch(error => error)
  log.push([failure.name, failure.message])
  const webrtc = await router.createWebRtcTransport({
    listenInfos: [{ protocol: 'udp', ip: '127.0.0.1' }]
  })
  webrtc.close()
  producer.close()
  await until(() => consumer.closed)
  const dump = await router.dump()
  log.push(
    dump.transportIds.length,
    dump.mapProducerIdConsumerIds.length,
    dump.mapDataProducerIdDataConsumerIds.length,
    worker.closed
  )
  return { log, worker }
}

interface Place {
  direction: Direction
  frame: number
  how: 'before' | 'within'
}

test('a connection that breaks at any message, or within it, makes no difference', async () => {
  // What breaks when a client has just closed is cleaned up after the grace period.
  const { server, relay } = await start(undefined, { grace: 10_000 })
  const { mediasoup, heard } = await use(relay.url)
  const expected = await scenario(mediasoup)
  assert.equal(heard, [])
  mediasoup.close()
  await until(() => server.sessions === 0)
  const { up, down } = relay.frames

  const places: Place[] = []
  // The opening has to come through: without it, there is no session yet.
  for (const [direction, frames] of [
    ['up', up],
    ['down', down]
  ] as const) {
    for (let frame = 1; frame < frames; frame++)
      for (const how of ['before', 'within'] as const) places.push({ direction, frame, how })
  }
  assert.ok(places.length > 100, `${places.length} places`)
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      for (let place = places.pop(); place; place = places.pop()) {
        const { direction, frame, how } = place
        const name = `${how} frame ${frame} ${direction}`
        const { url } = await startRelay(server.url, (...at) =>
          at[0] === direction && at[1] === frame && at[2] === 0 ? how : undefined
        )
        const { mediasoup, heard } = await use(url)
        const { log, worker } = await scenario(mediasoup)
        assert.equal(log, expected.log, name)
        await until(() => heard.length % 2 === 0)
        assert.ok(heard.length === 0 || heard.join() === 'lost,regained', `${name}: ${heard}`)
        mediasoup.close()
        await until(() => !isAlive(worker.pid))
      }
    })
  )
  await until(() => server.sessions === 0)
})

test('nor does one that breaks again and again', async () => {
  const { relay } = await start((_direction, frame) => (frame === 3 ? 'within' : undefined))
  const { mediasoup, heard } = await use(relay.url)
  const { log } = await scenario(mediasoup)
  assert.equal(log.find(Array.isArray), [...Array(MESSAGES).keys()].map(String))
  assert.ok(relay.connections > 5, `${relay.connections} connections`)
  assert.not.ok(heard.includes('died'))
})

test('calls and events wait while there is no connection, and the session is taken as it is', async () => {
  const { relay } = await start()
  const { mediasoup, heard } = await use(relay.url)
  const { worker } = await scenario(mediasoup)
  const session = once(mediasoup.connection, 'lost')
  relay.breakAll()
  await session
  assert.is(mediasoup.connection.connected, false)
  const router = await worker.createRouter({ mediaCodecs: [opus] })
  assert.ok(router.id)
  assert.equal(heard, ['lost', 'regained'])
  assert.is(mediasoup.connection.connected, true)
})

test('a connection that is half open is noticed by pings, on both ends, and replaced', async () => {
  const { server, relay } = await start(undefined, { silence: 2_000 })
  const { mediasoup, heard } = await use(relay.url, { silence: 2_000 })
  const worker = await mediasoup.createWorker()
  relay.freeze()
  const usage = worker.getResourceUsage()
  await until(() => heard.includes('lost'))
  relay.thaw()
  assert.ok(await usage)
  await until(() => heard.includes('regained'))
  assert.equal(heard, ['lost', 'regained'])
  assert.is(server.sessions, 1)
})

test('after the grace period the leaf closes what the session had, and the client says why its Workers died', async () => {
  const { server, relay } = await start(undefined, { grace: 200 })
  const { mediasoup, heard } = await use(relay.url, { reconnect: false })
  const worker = await mediasoup.createWorker()
  const died = once(worker, 'died')
  relay.freeze()
  relay.breakAll()
  const [error] = await died
  assert.match(error.message, /^the connection was lost: .*, and not regained within 200 ms$/)
  await until(() => !isAlive(worker.pid) && server.sessions === 0)
  assert.equal(heard, ['lost', 'died', 'close'])
})

test('a client that closes says goodbye: nothing is kept for it', async () => {
  const { server, relay } = await start()
  const { mediasoup } = await use(relay.url)
  const worker = await mediasoup.createWorker()
  mediasoup.close()
  await until(() => server.sessions === 0 && !isAlive(worker.pid))
})

test('what waits for a connection is bounded: calls above it reject, and the session goes on', async () => {
  const { relay } = await start()
  const { mediasoup, heard } = await use(relay.url, { maxBacklog: 100_000, reconnect: false })
  const worker = await mediasoup.createWorker()
  relay.freeze()
  relay.breakAll()
  const calls = Array.from({ length: 50 }, () =>
    worker.updateSettings({ logTags: Array.from({ length: 500 }, () => 'info') })
  )
  const all = Promise.allSettled(calls)
  assert.match(
    (await rejection(calls.at(-1)!)).message,
    /^Worker\.updateSettings has to wait: \d+ bytes of at most 100000 wait/
  )
  relay.thaw()
  const results = await all
  const made = results.filter(({ status }) => status === 'fulfilled')
  assert.ok(
    made.length >= 75_000 / 4_000 - 2 && made.length <= 75_000 / 3_500,
    `${made.length} calls had room`
  )
  assert.equal(heard, ['lost', 'regained'])
  assert.is(worker.closed, false)
})

/** A load balancer: it takes WebSockets apart, and closes both sides when it restarts. */
async function startBalancer(url: string) {
  const server = new WebSocketServer({
    host: '127.0.0.1',
    port: 0,
    handleProtocols: () => PROTOCOL
  })
  await once(server, 'listening')
  const sockets = new Set<WebSocket>()
  server.on('connection', async near => {
    const far = new WebSocket(url, PROTOCOL)
    const early: [data: Buffer, options: { binary: boolean }][] = []
    for (const [from, to] of [
      [near, far],
      [far, near]
    ] as const) {
      sockets.add(from)
      from.on('error', () => {}) // 'close' tells.
      from.on('message', (data: Buffer, binary) => {
        if (to.readyState === to.CONNECTING) early.push([data, { binary }])
        else to.send(data, { binary })
      })
    }
    far.on('open', () => early.forEach(([data, options]) => far.send(data, options)))
  })
  afterTest(() => {
    for (const socket of sockets) socket.terminate()
    server.close()
  })
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    restart(code?: number) {
      for (const socket of sockets) socket.close(code)
      sockets.clear()
    }
  }
}

test('a load balancer that restarts breaks connections, and ends no session', async () => {
  const { server } = await start()
  const balancer = await startBalancer(server.url)
  const { mediasoup, heard } = await use(balancer.url, { reconnect: false })
  const worker = await mediasoup.createWorker()
  for (const code of [1001, undefined, 1013]) {
    const before = heard.length
    balancer.restart(code)
    await until(() => heard.length >= before + 2)
    assert.equal(heard.slice(before), ['lost', 'regained'], `${code}`)
    assert.ok(await worker.getResourceUsage())
  }
  assert.is(server.sessions, 1)
})

test('a tier that is closed ends its sessions at once, also one of hosts that stay', async () => {
  const server = await serve(Object.assign(leaf(localMediasoup), { resumable: true }))
  const { mediasoup, heard } = await use(server.url, { reconnect: false })
  await server.close()
  await until(() => heard.includes('close'))
  assert.equal(heard, ['lost', 'died', 'close'])
  assert.is(mediasoup.connection.connected, false)
})

test('a grace period that no timer can wait for is as long as one can', async () => {
  const tier = new WebSocketServer({ host: '127.0.0.1', port: 0, handleProtocols: () => PROTOCOL })
  await once(tier, 'listening')
  afterTest(() => tier.close())
  const openings: { resume?: boolean }[] = []
  tier.on('connection', socket =>
    socket.on('message', data => {
      const { id, method, params } = JSON.parse(String(data))
      if (method !== 'tier.open') return
      openings.push(params[0])
      socket.send(
        JSON.stringify({
          jsonrpc: '2.0',
          id,
          result: { received: 0, grace: 30 * 24 * 60 * 60 * 1_000 }
        })
      )
      if (!params[0].resume) socket.terminate()
    })
  )
  const link = await remote(`ws://127.0.0.1:${(tier.address() as AddressInfo).port}`).open()
  afterTest(() => link.close())
  const ended = once(link, 'close').then(([error]) => error.message)
  assert.is(await Promise.race([once(link, 'regained').then(() => 'regained'), ended]), 'regained')
  assert.equal(
    openings.map(({ resume }) => resume),
    [undefined, true]
  )
})

test('sessions that fail at one URL at once leave the others in their order', async () => {
  const { server } = await start()
  let knocks = 0
  const dead = createServer()
    .on('upgrade', (_request, socket) => {
      knocks++
      socket.end('HTTP/1.1 503 Service Unavailable\r\n\r\n')
    })
    .listen(0, '127.0.0.1')
  await once(dead, 'listening')
  afterTest(() => dead.close())
  const tier = remote([`ws://127.0.0.1:${(dead.address() as AddressInfo).port}`, server.url])
  afterTest(() => tier.close())
  const open = async () => {
    const mediasoup = await client(tier)
    afterTest(() => mediasoup.close())
  }
  await Promise.all([open(), open()])
  assert.is(knocks, 2)
  await open()
  assert.is(knocks, 2)
})

test('what was on its way when the client closed is no fault of anybody', async () => {
  const { server } = await start()
  const { mediasoup } = await use(server.url)
  const said: string[] = []
  mediasoup.setLogEventListeners({
    onwarn: (_, text) => said.push(text),
    onerror: (_, text) => said.push(text)
  })
  const worker = await mediasoup.createWorker()
  for (let i = 0; i < 5; i++) worker.dump().catch(() => {})
  mediasoup.close()
  await until(() => server.sessions === 0)
  assert.equal(said, [])
})

test.run()
