// A Router that spans Workers: with `scatter` each transport is on another one.

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import * as localMediasoup from 'mediasoup'
import type * as ms from 'mediasoup/types'
import { readFileSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type RemoteMediasoup, client, connect, remote } from '../../../client/index.ts'
import type { Link, OpenOptions, Tier } from '../../../lib/tier.ts'
import { type VerticalOptions, horizontal, vertical } from '../../../proxy/index.ts'
import { leaf } from '../../../server/index.ts'
import {
  afterTest,
  audio,
  cleanUp,
  isAlive,
  opus,
  rejection,
  rtp,
  startLeaf,
  until
} from '../../helper.ts'

cleanUp(test)
test.before.each(async () => void (await until(() => workersOf().length === 0)))

async function use(tier: Tier): Promise<RemoteMediasoup> {
  const mediasoup = await client(tier)
  afterTest(() => mediasoup.close())
  return mediasoup
}

const scattered = (options?: VerticalOptions) =>
  use(vertical(leaf(localMediasoup), { policy: 'scatter', maxWorkers: 3, linger: 0, ...options }))

/** The pids of the workers of this process, or of another. */
function workersOf(pid = process.pid): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .split(' ')
    .filter(Boolean)
    .map(Number)
}

/** The Worker below that carries a transport, found by what it uses of the network. */
async function stage(mediasoup: RemoteMediasoup, count: number) {
  const worker = await mediasoup.createWorker()
  const router = await worker.createRouter({ mediaCodecs: [opus] })
  const transports: ms.DirectTransport[] = []
  for (let i = 0; i < count; i++) transports.push(await router.createDirectTransport())
  return { worker, router, transports: transports as [ms.DirectTransport, ...ms.DirectTransport[]] }
}

const pcmuCodec: ms.RouterRtpCodecCapability = {
  kind: 'audio',
  mimeType: 'audio/PCMU',
  clockRate: 8000,
  preferredPayloadType: 0
}
const pcmu: ms.ProducerOptions = {
  kind: 'audio',
  rtpParameters: {
    codecs: [{ mimeType: 'audio/PCMU', payloadType: 0, clockRate: 8000 }],
    encodings: [{ ssrc: 5 }]
  }
}

/** RTP goes from a Producer until each Consumer has some. */
async function flows(producer: ms.Producer, consumers: ms.Consumer[], ssrc?: number) {
  const received = consumers.map(() => 0)
  consumers.forEach((consumer, i) => consumer.on('rtp', () => received[i]!++))
  let sequence = Math.floor(Math.random() * 10_000)
  await until(() => {
    producer.send(rtp(sequence++, ssrc === undefined ? {} : { ssrc }))
    return received.every(packets => packets > 10)
  })
}

const consumeOn = (transport: ms.Transport, router: ms.Router, { id }: ms.Producer) =>
  transport.consume({ producerId: id, rtpCapabilities: router.rtpCapabilities })

test('one Worker of the application grows over several below it, and its Router over their Routers', async () => {
  const before = workersOf().length
  const { worker, router, transports } = await stage(await scattered(), 3)
  assert.is(workersOf().length - before, 3)
  assert.equal((await worker.dump()).routerIds, [router.id])
  assert.equal(
    (await router.dump()).transportIds.toSorted(),
    transports.map(({ id }) => id).toSorted()
  )
  worker.close()
  await until(() => worker.subprocessClosed && workersOf().length === before)
})

test('a Worker below that dies after it was given back, and before it was closed, takes no other with it', async () => {
  const host = leaf(localMediasoup)
  const seen: string[] = []
  const late: Tier = Object.create(host, {
    open: {
      value: async () => {
        const link = await host.open()
        const send = link.send.bind(link)
        link.send = (frame, head) => {
          if (String(frame).includes('"Worker.close"')) seen.push('close')
          else send(frame, head)
        }
        link.on('frame', frame => {
          if (String(frame).includes('"Worker.died"')) seen.push('died')
        })
        return link
      }
    }
  })
  const mediasoup = await use(vertical(late, { policy: 'scatter', maxWorkers: 2, linger: 0 }))
  const worker = await mediasoup.createWorker()
  const router = await worker.createRouter({ mediaCodecs: [opus] })
  const [stays, goes] = [await router.createDirectTransport(), await router.createDirectTransport()]
  const { pid } = await mediasoup.connection.locate(goes)
  goes.close()
  await until(() => seen.includes('close'))
  process.kill(pid!, 'SIGKILL')
  await until(() => seen.includes('died'))
  await stays.produce(audio())
  assert.not.ok(worker.closed)
  await router.createDirectTransport()
})

test('a Worker below that carries nothing any more is given back', async () => {
  const before = workersOf().length
  const { router, transports } = await stage(await scattered(), 3)
  for (const transport of transports.slice(1)) transport.close()
  await until(() => workersOf().length - before === 1)
  const again = await router.createDirectTransport()
  const producer = await transports[0].produce(audio())
  await flows(producer, [await consumeOn(again, router, producer)])
})

test('with the usual policy a small Router stays on one Worker', async () => {
  const before = workersOf().length
  const mediasoup = await use(vertical(leaf(localMediasoup)))
  await stage(mediasoup, 5)
  assert.is(workersOf().length - before, 1)
})

test('a storm of joins is spread before the CPU shows it', async () => {
  const mediasoup = await scattered({ policy: 'pack', watermark: 0.01 })
  const worker = await mediasoup.createWorker()
  const router = await worker.createRouter({ mediaCodecs: [opus] })
  await Promise.all(Array.from({ length: 20 }, () => router.createDirectTransport()))
  assert.is(workersOf().length, 3)
})

test('what a storm brought has cost nothing yet, and counts in full nevertheless', async () => {
  const mediasoup = await scattered({ policy: 'pack', watermark: 0.1 })
  const worker = await mediasoup.createWorker()
  const router = await worker.createRouter({ mediaCodecs: [opus] })
  for (let i = 0; i < 10; i++)
    await Promise.all(Array.from({ length: 13 }, () => router.createDirectTransport()))
  assert.is(workersOf().length, 3)
})

test('joins at once do not start more Workers than they fill', async () => {
  const mediasoup = await scattered({ policy: 'pack', watermark: 0.05 })
  const worker = await mediasoup.createWorker()
  const router = await worker.createRouter({ mediaCodecs: [opus] })
  await Promise.all(Array.from({ length: 30 }, () => router.createDirectTransport()))
  assert.is(workersOf().length, 2)
})

test('RTP flows from one Worker to Consumers on all others, and dumps show no pipes', async () => {
  const { worker, router, transports } = await stage(await scattered(), 3)
  const producer = await transports[0].produce(audio())
  const consumers = await Promise.all(
    transports.map(transport => consumeOn(transport, router, producer))
  )
  await flows(producer, consumers)
  const dump = await router.dump()
  assert.is(dump.transportIds.length, 3)
  const { key, values } = (
    dump.mapProducerIdConsumerIds as unknown as { key: string; values: string[] }[]
  )[0]!
  assert.is(key, producer.id)
  assert.equal(values.toSorted(), consumers.map(({ id }) => id).toSorted())
  assert.is(
    (await worker.dump()).channelMessageHandlers.channelRequestHandlers.length,
    1 + 3 + 1 + 3
  )
})

test('a Producer is piped once to a Worker, also by concurrent calls, and until after its last Consumer there', async () => {
  const below = leaf(localMediasoup)
  const piped: string[] = []
  const watched: Tier = {
    close: () => below.close(),
    async open() {
      const link = await below.open()
      const send = link.send.bind(link)
      link.send = frame => {
        const method = /"method":"(tier\.openPipe|PipeTransport\.\w+|Consumer\.close)"/.exec(
          String(frame)
        )?.[1]
        if (method) piped.push(method)
        send(frame)
      }
      return link
    }
  }
  const mediasoup = await use(vertical(watched, { policy: 'scatter', maxWorkers: 2, linger: 0 }))
  const { router, transports } = await stage(mediasoup, 2)
  const producer = await transports[0].produce(audio())
  const consumers = await Promise.all(
    [1, 2, 3].map(() => consumeOn(transports[1]!, router, producer))
  )
  assert.equal(piped.toSorted(), [
    'PipeTransport.connect',
    'PipeTransport.connect',
    'PipeTransport.produce',
    'tier.openPipe',
    'tier.openPipe'
  ])

  for (const consumer of consumers) consumer.close()
  // Those of the application, and that of the pipe.
  await until(() => piped.filter(method => method === 'Consumer.close').length === 4)
  await flows(producer, [await consumeOn(transports[1]!, router, producer)])
})

test('pause, resume and close cross Workers', async () => {
  const { router, transports } = await stage(await scattered(), 2)
  const producer = await transports[0].produce({ ...audio(), paused: true })
  const consumer = await consumeOn(transports[1]!, router, producer)
  assert.ok(consumer.producerPaused)
  await producer.resume()
  await until(() => !consumer.producerPaused)
  await producer.pause()
  await until(() => consumer.producerPaused)
  producer.close()
  await until(() => consumer.closed)
})

test('messages of data channels cross Workers', async () => {
  const { transports } = await stage(await scattered(), 2)
  const producer = await transports[0].produceData({ label: 'chat' })
  const consumer = await transports[1]!.consumeData({ dataProducerId: producer.id })
  const messages: string[] = []
  consumer.on('message', message => messages.push(message.toString()))
  await until(() => {
    producer.send('hello')
    return messages.includes('hello')
  })
  await producer.pause()
  await until(() => consumer.dataProducerPaused)
})

test('a Consumer that is created while its Producer closes fails cleanly', async () => {
  const mediasoup = await scattered()
  const { router, transports } = await stage(mediasoup, 2)
  for (let i = 0; i < 10; i++) {
    const producer = await transports[0].produce(audio(1000 + i))
    const consuming = consumeOn(transports[1]!, router, producer).then(
      consumer => until(() => consumer.closed),
      (error: Error) => error.name
    )
    producer.close()
    assert.ok([true, 'NotFoundError'].includes(await consuming))
  }
})

test('observers hear Producers of any Worker, and name the originals', async () => {
  const { router, transports } = await stage(await scattered(), 2)
  const observer = await router.createAudioLevelObserver({
    interval: 250,
    threshold: -127,
    maxEntries: 5
  })
  // Header extension 10 is ssrc-audio-level.
  const options = audio(7)
  options.rtpParameters.headerExtensions = [
    { uri: 'urn:ietf:params:rtp-hdrext:ssrc-audio-level', id: 10 }
  ]
  const producers = [
    await transports[0].produce(options),
    await transports[1]!.produce({
      ...options,
      rtpParameters: { ...options.rtpParameters, encodings: [{ ssrc: 8 }] }
    })
  ]
  const added: ms.Producer[] = []
  observer.observer.on('addproducer', producer => added.push(producer))
  for (const { id } of producers) await observer.addProducer({ producerId: id })
  assert.ok(
    producers.every((producer, i) => added[i] === producer),
    'the observer names the Producers that the application knows'
  )
  const heard = new Set<ms.Producer>()
  observer.on('volumes', volumes => volumes.forEach(({ producer }) => heard.add(producer)))
  let sequence = 0
  await until(() => {
    sequence++
    producers.forEach((producer, i) => producer.send(spoken(sequence, 7 + i)))
    return producers.every(producer => heard.has(producer))
  })
  await observer.removeProducer({ producerId: producers[1]!.id })
})

/** An RTP packet that says how loud it is (RFC 6464). */
function spoken(sequence: number, ssrc: number): Buffer {
  const packet = rtp(sequence, { ssrc })
  const extension = Buffer.from([0xbe, 0xde, 0, 1, 0xa0, 0x80 | 20, 0, 0])
  packet[0]! |= 0x10
  return Buffer.concat([packet.subarray(0, 12), extension, packet.subarray(12)])
}

test('one logical WebRtcServer is on each Worker that needs it, at the next port', async () => {
  const mediasoup = await scattered({ maxWorkers: 2 })
  const worker = await mediasoup.createWorker()
  const router = await worker.createRouter({ mediaCodecs: [opus] })
  const probe = await router.createPlainTransport({
    listenInfo: { protocol: 'udp', ip: '127.0.0.1' }
  })
  const { localPort: port } = probe.tuple
  probe.close()
  const server = await worker.createWebRtcServer({
    listenInfos: [{ protocol: 'udp', ip: '127.0.0.1', port }]
  })
  const handled: ms.WebRtcTransport[] = []
  server.observer.on('webrtctransporthandled', transport => handled.push(transport))
  const transports = [
    await router.createWebRtcTransport({ webRtcServer: server }),
    await router.createWebRtcTransport({ webRtcServer: server })
  ]
  assert.equal(
    transports.map(({ iceCandidates }) => iceCandidates[0]!.port),
    [port, port + 1]
  )
  assert.equal(handled, transports)
  assert.equal(
    (await server.dump()).webRtcTransportIds.toSorted(),
    transports.map(({ id }) => id).toSorted()
  )
  assert.equal((await worker.dump()).webRtcServerIds, [server.id])
  server.close()
  assert.ok(transports.every(({ closed }) => closed))
  await until(() => workersOf().length === 1)
  assert.not((await router.createDirectTransport()).closed)
})

/** A Worker with a WebRtcServer at a port of which the next ones are free. */
async function serverAt(mediasoup: RemoteMediasoup, port?: number) {
  const worker = await mediasoup.createWorker()
  const webRtcServer = await worker.createWebRtcServer({
    listenInfos: [{ protocol: 'udp', ip: '127.0.0.1', port: port ?? (await freeUdpPort()) }]
  })
  return { worker, webRtcServer }
}

async function freeUdpPort() {
  const socket = await openSocket(0)
  const { port } = socket.address()
  socket.close()
  await once(socket, 'close')
  return port
}

async function openSocket(port: number) {
  const socket = createSocket('udp4').bind(port, '127.0.0.1')
  await once(socket, 'listening')
  return socket
}

const portOf = ({ iceCandidates: [candidate] }: ms.WebRtcTransport) => candidate!.port

test('the ports of WebRtcServers that are derived are not those that another one has', async () => {
  const mediasoup = await scattered({ maxWorkers: 2 })
  const port = await freeUdpPort()
  const { worker, webRtcServer } = await serverAt(mediasoup, port)
  await serverAt(mediasoup, port + 1)
  const router = await worker.createRouter({ mediaCodecs: [opus] })
  const transports = [
    await router.createWebRtcTransport({ webRtcServer }),
    await router.createWebRtcTransport({ webRtcServer })
  ]
  assert.is(portOf(transports[0]!), port)
  assert.ok(portOf(transports[1]!) > port + 1)
})

test('a WebRtcServer that comes later is beside the derived port of one that was there', async () => {
  const mediasoup = await scattered({ maxWorkers: 2 })
  const port = await freeUdpPort()
  const { worker, webRtcServer } = await serverAt(mediasoup, port)
  const router = await worker.createRouter({ mediaCodecs: [opus] })
  const join = () => router.createWebRtcTransport({ webRtcServer })
  assert.equal([portOf(await join()), portOf(await join())], [port, port + 1])
  const later = await serverAt(mediasoup, port + 1)
  const elsewhere = await later.worker.createRouter()
  const transport = await elsewhere.createWebRtcTransport({ webRtcServer: later.webRtcServer })
  assert.is(portOf(transport), port + 2)
})

test('a port that the application itself gives twice is in use, as on mediasoup', async () => {
  const mediasoup = await scattered({ maxWorkers: 2 })
  const port = await freeUdpPort()
  await serverAt(mediasoup, port)
  assert.match((await rejection(serverAt(mediasoup, port))).message, 'in use')
})

test('where a WebRtcServer cannot be, because its ports are in use, no transport goes that needs it', async () => {
  const mediasoup = await scattered({ maxWorkers: 2 })
  const { worker, webRtcServer } = await serverAt(mediasoup)
  const router = await worker.createRouter({ mediaCodecs: [opus] })
  const first = await router.createWebRtcTransport({ webRtcServer })
  const others = await Promise.all([1, 2, 3, 4].map(offset => openSocket(portOf(first) + offset)))
  afterTest(() => others.forEach(socket => socket.close()))
  for (let i = 0; i < 3; i++)
    assert.is(portOf(await router.createWebRtcTransport({ webRtcServer })), portOf(first))
  const { pid } = await mediasoup.connection.locate(await router.createDirectTransport())
  assert.is.not(
    pid,
    (await mediasoup.connection.locate(first)).pid,
    'what needs no WebRtcServer may go there'
  )
})

/** A tier that answers some requests with an error, or later. */
const intercepting = (
  tier: Tier,
  intercept: (frame: string, send: () => void, link: Link) => void
): Tier =>
  Object.create(tier, {
    open: {
      value: async (options?: OpenOptions) => {
        const link = await tier.open(options)
        const send = link.send.bind(link)
        link.send = (frame, head) => intercept(String(frame), () => send(frame, head), link)
        return link
      }
    }
  })

test('when no further Worker can be made, the one that is there has room', async () => {
  let workers = 0
  const mediasoup = await use(
    vertical(
      intercepting(leaf(localMediasoup), (frame, send, link) => {
        if (!frame.includes('"mediasoup.createWorker"') || !workers++) return send()
        const { id } = JSON.parse(frame)
        queueMicrotask(() =>
          link.emit(
            'frame',
            JSON.stringify({
              jsonrpc: '2.0',
              id,
              error: { code: -32013, message: 'no more Workers', data: { name: 'LimitError' } }
            })
          )
        )
      }),
      { policy: 'scatter', maxWorkers: 3 }
    )
  )
  const { router, transports } = await stage(mediasoup, 3)
  assert.is(workers, 3)
  assert.equal((await router.dump()).transportIds.length, transports.length)
})

test('codecs that are updated while a part of the Router is being made are those of that part, too', async () => {
  let routers = 0
  let release = () => {}
  const mediasoup = await use(
    vertical(
      intercepting(leaf(localMediasoup), (frame, send) => {
        if (frame.includes('"Worker.createRouter"') && routers++) release = send
        else send()
      }),
      { policy: 'scatter', maxWorkers: 2 }
    )
  )
  const { router } = await stage(mediasoup, 1)
  const joining = router.createDirectTransport()
  await until(() => routers === 2)
  router.updateMediaCodecs([pcmuCodec])
  release()
  assert.is((await (await joining).produce(pcmu)).kind, 'audio')
})

test('so are the settings of a Worker that are updated while a part of it is being made', async () => {
  let workers = 0
  let release = () => {}
  const updated: string[] = []
  const mediasoup = await use(
    vertical(
      intercepting(leaf(localMediasoup), (frame, send) => {
        if (frame.includes('"Worker.updateSettings"'))
          updated.push(JSON.parse(frame).params[1].logLevel)
        if (frame.includes('"mediasoup.createWorker"') && workers++) release = send
        else send()
      }),
      { policy: 'scatter', maxWorkers: 2 }
    )
  )
  const { worker, router } = await stage(mediasoup, 1)
  const joining = router.createDirectTransport()
  await until(() => workers === 2)
  await worker.updateSettings({ logLevel: 'error' })
  release()
  await joining
  assert.equal(updated, ['error', 'error'])
})

test('when one Worker below dies, what was on it is closed, and the rest lives on', async () => {
  const before = new Set(workersOf())
  const { worker, router, transports } = await stage(await scattered(), 3)
  const [first, second, third] = workersOf().filter(pid => !before.has(pid))
  const events: string[] = []
  transports.forEach((transport, i) =>
    transport.on('routerclose', () => events.push(`routerclose ${i}`))
  )
  const producer = await transports[0].produce(audio())
  const consumers = [
    await consumeOn(transports[1]!, router, producer),
    await consumeOn(transports[2]!, router, producer)
  ]

  process.kill(second!, 'SIGKILL')
  await until(() => events.length)
  assert.equal(events, ['routerclose 1'])
  assert.ok(consumers[0]!.closed)
  assert.not(router.closed)
  await flows(producer, [consumers[1]!])
  const again = await router.createDirectTransport()
  await flows(producer, [await consumeOn(again, router, producer)])

  const died = new Promise(resolve => worker.on('died', resolve))
  for (const pid of workersOf().filter(pid => !before.has(pid))) process.kill(pid, 'SIGKILL')
  await died
  assert.ok(router.closed && worker.died)
  assert.ok([first, third].every(pid => !isAlive(pid!)))
})

test('a Router whose only part below dies is as good as new', async () => {
  const mediasoup = await scattered()
  const worker = await mediasoup.createWorker()
  const [router, other] = [
    await worker.createRouter({ mediaCodecs: [opus] }),
    await worker.createRouter({ mediaCodecs: [opus] })
  ]
  for (let i = 0; i < 2; i++) await other.createDirectTransport()
  process.kill((await mediasoup.connection.locate(router)).pid, 'SIGKILL')
  await until(() => workersOf().length === 1)
  const empty = await until(() => router.dump().catch(() => undefined))
  assert.is(empty.id, router.id)
  assert.equal(empty.transportIds, [])
  const transport = await router.createDirectTransport()
  assert.equal((await router.dump()).transportIds, [transport.id])
  assert.is(
    (await mediasoup.connection.locate(router)).pid,
    (await mediasoup.connection.locate(transport)).pid
  )
})

test('Routers of different Workers are piped together, once, wherever their transports are', async () => {
  const mediasoup = await scattered()
  const [one, other] = [await stage(mediasoup, 2), await stage(mediasoup, 2)]
  const producers = await Promise.all(
    one.transports.map((transport, i) => transport.produce(audio(100 + i)))
  )
  const pipes = await Promise.all(
    producers.map(({ id }) => one.router.pipeToRouter({ producerId: id, router: other.router }))
  )
  assert.is((await one.router.dump()).transportIds.length, 3)
  assert.is((await other.router.dump()).transportIds.length, 3)
  await flows(
    producers[1]!,
    await Promise.all(
      other.transports.map(transport => consumeOn(transport, other.router, pipes[1]!.pipeProducer!))
    ),
    101
  )
  one.router.close()
  assert.ok(pipes.every(({ pipeProducer }) => pipeProducer!.closed))
})

test('updateMediaCodecs reaches Workers that come later', async () => {
  const { router, transports } = await stage(await scattered(), 1)
  router.updateMediaCodecs([pcmuCodec])
  const producer = await (await router.createDirectTransport()).produce(pcmu)
  assert.is(
    (await consumeOn(transports[0], router, producer)).rtpParameters.codecs[0]!.mimeType,
    'audio/PCMU'
  )
})

test('over a cluster a Router spans hosts, and each Producer crosses to a host once', async () => {
  const leaves = await Promise.all([startLeaf(), startLeaf()])
  const cluster = horizontal(
    leaves.map(({ url }) => remote(url)),
    { policy: 'scatter' }
  )
  afterTest(() => cluster.close())
  let up = 0
  cluster.on('up', () => up++)
  await until(() => up === 2)
  const mediasoup = await use(vertical(cluster, { policy: 'scatter', maxWorkers: 4, linger: 0 }))
  const { router, transports } = await stage(mediasoup, 4)
  const workers = leaves.map(({ child }) => workersOf(child.pid))
  assert.equal(
    workers.map(({ length }) => length),
    [2, 2]
  )
  const places = await Promise.all(
    transports.map(transport => mediasoup.connection.locate(transport))
  )
  assert.equal(places.map(({ pid }) => pid).toSorted(), workers.flat().toSorted())
  assert.is(new Set(places.map(({ node }) => node)).size, 2)
  assert.ok(workers.flat().includes((await mediasoup.connection.locate(router)).pid))
  const producer = await transports[0].produce(audio())
  const consumers = await Promise.all(
    transports.map(transport => consumeOn(transport, router, producer))
  )
  await flows(producer, consumers)
})

test('mafalda serve --vertical spans the Workers of its host, and over URLs those of hosts', async () => {
  const leaves = await Promise.all([startLeaf(), startLeaf(['--vertical'])])
  const top = await startLeaf(['--vertical', ...leaves.map(({ url }) => url)])
  const mediasoup = await connect(top.url)
  afterTest(() => mediasoup.close())
  const { router, transports } = await stage(mediasoup, 2)
  const producer = await transports[0].produce(audio())
  await flows(producer, [await consumeOn(transports[1]!, router, producer)])
})

test.run()
