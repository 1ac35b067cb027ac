// A client that opens, closes and opens again, and tells each step.

import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type * as ms from 'mediasoup/types'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  ConnectionError,
  RemoteMediasoupClient,
  type RemoteMediasoupClientEvents
} from '../../client/index.ts'
import { afterTest, audio, cleanUp, isAlive, opus, startLeaf, until } from '../helper.ts'

cleanUp(test)

const EVENTS = [
  'open',
  'websocketOpen',
  'mediasoup',
  'connected',
  'disconnected',
  'websocketClose',
  'close',
  'error'
] satisfies (keyof RemoteMediasoupClientEvents)[]

/** A client, and what it tells: the events with their arguments, and the readyState at each. */
function open(...args: ConstructorParameters<typeof RemoteMediasoupClient>) {
  const client = new RemoteMediasoupClient(...args)
  afterTest(() => client.destroy())
  const heard: [event: string, readyState: number, ...args: unknown[]][] = []
  for (const event of EVENTS)
    client.on(event, (...args: unknown[]) => heard.push([event, client.readyState, ...args]))
  return { client, heard, names: () => heard.map(([event]) => event) }
}

const MEDIASOUP = 4
const CLOSED = 3

const connected = (client: RemoteMediasoupClient) => until(() => client.readyState === MEDIASOUP)

test('it tells each step of opening, with its readyState, and then has a mediasoup', async () => {
  const { url } = await startLeaf()
  const { client, heard } = open(url)
  assert.is(client.readyState, 0)
  assert.is(client.mediasoup, undefined)
  await connected(client)
  assert.equal(
    heard.map(([event, readyState]) => [event, readyState]),
    [
      ['open', 0],
      ['websocketOpen', 1],
      ['mediasoup', MEDIASOUP],
      ['connected', MEDIASOUP]
    ]
  )
  assert.is(heard[2]![2], client.mediasoup)

  const worker = await client.mediasoup!.createWorker()
  assert.ok((await worker.createRouter()).id)
})

test('it may be given its URL as a string, as a URL, in the options, or when it is opened', async () => {
  const { url } = await startLeaf()
  const clients = [
    open(url),
    open(new URL(url)),
    open({ url }),
    open({ url: new URL(url) }),
    open(),
    open({ timeout: 5_000 })
  ].map(({ client }) => client)
  for (const client of clients.slice(0, 4)) await connected(client)
  for (const client of clients.slice(4)) {
    assert.is(client.readyState, CLOSED)
    assert.throws(() => client.open(), /needs a URL/)
    assert.is(client.open(url), client)
    await connected(client)
  }
})

test('what is not the URL of a WebSocket is refused at once, and it stays closed', () => {
  assert.throws(
    () => new RemoteMediasoupClient('http://127.0.0.1:4000'),
    (error: Error) => error instanceof TypeError && /must be like ws:/.test(error.message)
  )
  const { client } = open()
  assert.throws(() => client.open('nonsense'), /must be like ws:/)
  assert.is(client.readyState, CLOSED)
  assert.throws(() => client.open(), /needs a URL/)
})

test('it cannot be opened twice, neither while it connects nor when it is connected', async () => {
  const { url } = await startLeaf()
  const { client } = open(url)
  assert.throws(() => client.open(), /already open/)
  await connected(client)
  assert.throws(() => client.open(url), /already open/)
  assert.is(client.readyState, MEDIASOUP)
})

test('close() takes the mediasoup away and closes what was created, and says nothing of a lost connection', async () => {
  const { url } = await startLeaf()
  const { client, heard } = open(url)
  await connected(client)
  const worker = await client.mediasoup!.createWorker()
  heard.length = 0
  client.close()
  client.close()
  assert.equal(heard, [
    ['mediasoup', CLOSED, undefined],
    ['close', CLOSED]
  ])
  assert.is(client.mediasoup, undefined)
  assert.ok(worker.closed)
  // And nothing comes later.
  await until(() => !isAlive(worker.pid))
  assert.is(heard.length, 2)
})

test('it may be opened again after close(), by default at the same URL', async () => {
  const { url } = await startLeaf()
  const { client, heard, names } = open(url)
  await connected(client)
  const before = client.mediasoup
  client.close()
  heard.length = 0
  client.open()
  assert.is(client.readyState, 0)
  await connected(client)
  assert.equal(names(), ['open', 'websocketOpen', 'mediasoup', 'connected'])
  assert.is.not(client.mediasoup, before)
  const worker = await client.mediasoup!.createWorker()
  assert.equal(
    (await client.getStats()).workers.map(({ pid }) => pid),
    [worker.pid]
  )
})

test('close() while it connects: it never is connected', async () => {
  const { url } = await startLeaf()
  for (const event of ['open', 'websocketOpen', 'mediasoup'] as const) {
    const { client, names } = open(url)
    client.on(event, () => client.close())
    await until(() => names().includes('close'))
    const { client: other } = open(url)
    await connected(other)
    assert.is(client.readyState, CLOSED)
    assert.ok(!names().includes('connected'), `${event}: ${names()}`)
    other.close()
    await until(
      async () =>
        (await (await fetch(`${url.replace('ws', 'http')}/healthz`)).json()).sessions === 0
    )
  }
})

test('close() before it begins: nothing is told but the close', async () => {
  const { url } = await startLeaf()
  const { client, names } = open(url)
  client.close()
  const { client: other } = open(url)
  await connected(other)
  assert.equal(names(), ['mediasoup', 'close'])
})

test('destroy() closes it for good', async () => {
  const { url } = await startLeaf()
  const { client, heard, names } = open(url)
  await connected(client)
  heard.length = 0
  assert.is(client.destroyed, false)
  client.destroy()
  client.destroy()
  assert.equal(names(), ['mediasoup', 'close'])
  assert.is(client.destroyed, true)
  assert.is(client.readyState, CLOSED)
  assert.throws(() => client.open(), /destroyed/)
  assert.throws(() => client.open(url), /destroyed/)
})

test('when the host vanishes it says so, and connects again as soon as the host is back', async () => {
  const leaf = await startLeaf()
  const { client, heard, names } = open(leaf.url)
  await connected(client)
  const worker = await client.mediasoup!.createWorker()
  heard.length = 0
  leaf.child.kill('SIGKILL')
  await until(() => names().includes('error'))

  const until1st = heard.slice(0, names().indexOf('error'))
  assert.equal(until1st.map(([event]) => event).toSorted(), [
    'disconnected',
    'mediasoup',
    'websocketClose'
  ])
  const [, , wasClean] = heard.find(([event]) => event === 'websocketClose')!
  assert.is(wasClean, false)
  const [, , gone] = heard.find(([event]) => event === 'mediasoup')!
  assert.is(gone, undefined)
  const [, , why] = heard.find(([event]) => event === 'disconnected')!
  assert.instance(why, ConnectionError)
  assert.is(client.mediasoup, undefined)
  assert.ok(worker.died)

  heard.length = 0
  await startLeaf(['--listen', new URL(leaf.url).host])
  await until(() => names().includes('connected'))
  assert.equal(
    names().filter(name => name !== 'error'),
    ['websocketOpen', 'mediasoup', 'connected']
  )
  assert.ok((await client.mediasoup!.createWorker()).pid)
})

test('when the host shuts down, the close was clean', async () => {
  const leaf = await startLeaf()
  const { client, heard, names } = open(leaf.url)
  await connected(client)
  client.on('error', () => {})
  leaf.child.kill('SIGTERM')
  await until(() => names().includes('websocketClose'))
  assert.equal(heard.find(([event]) => event === 'websocketClose')!.slice(2), [true])
  assert.ok(!names().includes('close'))
})

test('an error is told for each try that fails, and it goes on trying', async () => {
  const server = createServer((_, response) => response.writeHead(403).end('not you'))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  afterTest(() => server.close())
  const { client, heard, names } = open(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`)
  await until(() => names().filter(name => name === 'error').length > 1)
  const [, readyState, error] = heard.find(([event]) => event === 'error')!
  assert.is(readyState, 0)
  assert.instance(error, ConnectionError)
  assert.match((error as Error).message, 'it answered 403 not you')
  assert.ok(names().every(name => ['open', 'error'].includes(name)))
  client.close()
})

test('getStats() gives the stats of all that exists, and of nothing that is closed', async () => {
  const { url } = await startLeaf()
  const { client } = open(url)
  await connected(client)
  const mediasoup = client.mediasoup!
  assert.equal(await client.getStats(), { workers: [] })

  const worker = await mediasoup.createWorker()
  const router = await worker.createRouter({ mediaCodecs: [opus] })
  const direct = await router.createDirectTransport()
  const webRtc = await router.createWebRtcTransport({
    listenInfos: [{ protocol: 'udp', ip: '127.0.0.1' }]
  })
  const producer = await direct.produce(audio())
  const consumer = await webRtc.consume({
    producerId: producer.id,
    rtpCapabilities: router.rtpCapabilities
  })
  const dataProducer = await direct.produceData({ label: 'chat' })
  const dataConsumer = await direct.consumeData({ dataProducerId: dataProducer.id })

  const { workers } = await client.getStats()
  assert.is(workers.length, 1)
  assert.is(workers[0]!.pid, worker.pid)
  assert.type(workers[0]!.resourceUsage.ru_utime, 'number')
  const idsOf = (stats: { id: string }[]) => stats.map(({ id }) => id)
  assert.equal(idsOf(workers[0]!.routers), [router.id])
  const { transports } = workers[0]!.routers[0]!
  assert.equal(
    transports.map(({ id, type }) => [id, type]),
    [
      [direct.id, 'direct'],
      [webRtc.id, 'webrtc']
    ]
  )
  assert.equal(
    transports.map(({ producers, consumers, dataProducers, dataConsumers }) =>
      [producers, consumers, dataProducers, dataConsumers].map(idsOf)
    ),
    [
      [[producer.id], [], [dataProducer.id], [dataConsumer.id]],
      [[], [consumer.id], [], []]
    ]
  )
  const [transportStat] = transports[1]!.stats as ms.WebRtcTransportStat[]
  assert.is(transportStat!.type, 'webrtc-transport')
  assert.is(transports[0]!.dataProducers[0]!.stats[0]!.label, 'chat')

  direct.close()
  const [router1] = (await client.getStats()).workers[0]!.routers
  assert.equal(idsOf(router1!.transports), [webRtc.id])
  worker.close()
  assert.equal(await client.getStats(), { workers: [] })
})

test('getStats() is rejected when there is no connection', async () => {
  const { url } = await startLeaf()
  const { client } = open(url)
  const rejected = async () =>
    assert.instance(await client.getStats().catch(error => error), ConnectionError)
  await rejected()
  await connected(client)
  client.close()
  await rejected()
})

test('after the host was lost, getStats() knows only what is there now', async () => {
  const leaf = await startLeaf()
  const { client, names } = open(leaf.url)
  await connected(client)
  await client.mediasoup!.createWorker()
  leaf.child.kill('SIGKILL')
  await until(() => names().includes('disconnected'))
  await startLeaf(['--listen', new URL(leaf.url).host])
  await connected(client)
  assert.equal(await client.getStats(), { workers: [] })
  const worker = await client.mediasoup!.createWorker()
  assert.equal(
    (await client.getStats()).workers.map(({ pid }) => pid),
    [worker.pid]
  )
})

test.run()
