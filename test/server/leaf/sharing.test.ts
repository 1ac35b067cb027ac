// Sessions that share the Workers of a leaf: each sees, and closes, only its own.

import * as localMediasoup from 'mediasoup'
import type * as ms from 'mediasoup/types'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type RemoteMediasoup, client, connect } from '../../../client/index.ts'
import type { Tier } from '../../../lib/index.ts'
import { vertical } from '../../../proxy/index.ts'
import { type LeafOptions, leaf } from '../../../server/index.ts'
import {
  afterTest,
  audio,
  cleanUp,
  connectLeaf,
  isAlive,
  opus,
  rejection,
  until
} from '../../helper.ts'

cleanUp(test)

const LOCAL: ms.TransportListenInfo = { protocol: 'udp', ip: '127.0.0.1' }

/** Opens sessions of one leaf, which by default has a single Worker for all. */
function shared(options?: LeafOptions, above: (tier: Tier) => Tier = tier => tier) {
  const tier = above(
    leaf(localMediasoup, { shareWorkers: true, poolSize: 1, linger: 0, ...options })
  )
  return async function open(): Promise<RemoteMediasoup> {
    const mediasoup = await client(tier)
    afterTest(() => mediasoup.close())
    return mediasoup
  }
}

async function twoLeases(settings?: ms.WorkerSettings) {
  const open = shared()
  const [ours, theirs] = [await open(), await open()]
  const [our, their] = [await ours.createWorker(settings), await theirs.createWorker(settings)]
  return { open, ours, theirs, our, their }
}

const ended = (worker: ms.Worker) => until(() => worker.subprocessClosed)

async function routerWithTransport(worker: ms.Worker) {
  const router = await worker.createRouter({ mediaCodecs: [opus] })
  return { router, transport: await router.createWebRtcTransport({ listenInfos: [LOCAL] }) }
}

test('sessions that want the same settings are on one Worker, and others are not', async () => {
  const open = shared({ poolSize: 2 })
  const pids = []
  const tries: ms.WorkerSettings[] = [
    { logLevel: 'warn' },
    { logLevel: 'none' },
    { logLevel: 'warn', rtcMinPort: 10000, appData: { other: true } },
    { logLevel: 'none', logTags: [] }
  ]
  for (const settings of tries) pids.push((await (await open()).createWorker(settings)).pid)
  assert.equal(pids, [pids[0], pids[1], pids[0], pids[1]])
  assert.is.not(pids[0], pids[1])
})

test('what is closed is what the session made there, and no more', async () => {
  const { ours, our, their } = await twoLeases()
  assert.is(our.pid, their.pid)
  const { router, transport } = await routerWithTransport(their)
  const server = await our.createWebRtcServer({ listenInfos: [LOCAL] })
  const { port } = (await server.dump()).udpSockets[0]!
  const taken: ms.WebRtcServerOptions = { listenInfos: [{ ...LOCAL, port }] }
  assert.instance(await rejection(their.createWebRtcServer(taken)), Error)

  our.close()
  assert.ok(server.closed)
  await ended(our)
  assert.not.ok(our.died)
  await their.createWebRtcServer(taken)
  assert.instance(await rejection(our.dump()), localMediasoup.errors.WorkerClosedError)

  await ours.createWorker()
  ours.close()
  assert.equal((await router.dump()).transportIds, [transport.id])
  assert.not.ok(their.closed)
})

test('what is pending when a Worker is closed fails, as on a Worker of one’s own', async () => {
  const link = await leaf(localMediasoup, { shareWorkers: true, linger: 0 }).open()
  afterTest(() => link.close())
  const answers: { id: number; result?: { $: string }; error?: { data: { name: string } } }[] = []
  link.on('frame', frame => answers.push(JSON.parse(String(frame))))
  const send = (message: object) => link.send(JSON.stringify({ jsonrpc: '2.0', ...message }))
  const answer = (id: number) => until(() => answers.find(answer => answer.id === id))
  send({ id: 1, method: 'mediasoup.createWorker', params: [] })
  const { $ } = (await answer(1)).result!
  send({ id: 2, method: 'Worker.dump', params: [$] })
  send({ method: 'Worker.close', params: [$] })
  send({ id: 3, method: 'Worker.createRouter', params: [$] })
  send({ id: 4, method: 'Worker.createRouter', params: [$, { mediaCodecs: 'none' }] })
  for (const [id, name] of [
    [2, 'WorkerClosedError'],
    [3, 'WorkerClosedError'],
    [4, 'TypeError']
  ] as const) {
    assert.is((await answer(id)).error?.data.name, name)
  }
})

test('a dump tells of nothing that others have', async () => {
  const { our, their } = await twoLeases()
  const nothing = {
    pid: our.pid,
    webRtcServerIds: [],
    routerIds: [],
    channelMessageHandlers: { channelRequestHandlers: [], channelNotificationHandlers: [] }
  }
  const { liburing: _ours, ...before } = (await our.dump()) as ms.WorkerDump & {
    liburing?: unknown
  }
  assert.equal(before, nothing)

  const server = await their.createWebRtcServer({ listenInfos: [LOCAL] })
  const { router, transport } = await routerWithTransport(their)
  const observer = await router.createAudioLevelObserver()
  const producer = await transport.produce(audio())
  const consumer = await transport.consume({
    producerId: producer.id,
    rtpCapabilities: router.rtpCapabilities
  })
  const { liburing: _still, ...after } = (await our.dump()) as ms.WorkerDump & {
    liburing?: unknown
  }
  assert.equal(after, nothing)

  const their1 = await their.dump()
  assert.equal(their1.routerIds, [router.id])
  assert.equal(their1.webRtcServerIds, [server.id])
  const all = [server, router, transport, observer, producer, consumer].map(({ id }) => id)
  assert.equal(their1.channelMessageHandlers.channelRequestHandlers.toSorted(), all.toSorted())
  assert.equal(
    their1.channelMessageHandlers.channelNotificationHandlers.toSorted(),
    [transport.id, producer.id].toSorted()
  )
})

test('a Worker that dies, dies for all, and the next one is another', async () => {
  const { ours, our, their } = await twoLeases()
  const { transport } = await routerWithTransport(their)
  const heard: string[] = []
  their.on('died', error => heard.push(`died: ${error.message}`))
  their.observer.on('close', () => heard.push('close'))
  transport.on('routerclose', () => heard.push('routerclose'))
  process.kill(our.pid, 'SIGKILL')
  await until(() => our.died && their.died && heard.includes('close'))
  const why = `[pid:${our.pid}, code:null, signal:SIGKILL]`
  assert.equal(heard, ['routerclose', `died: ${why}`, 'close'])
  const next = await ours.createWorker()
  assert.is.not(next.pid, our.pid)
  await next.createRouter()
})

test('a session has each of its Workers in a process of its own, and what it pipes between them keeps its id', async () => {
  const { ours, theirs, our, their } = await twoLeases()
  const ourOther = await ours.createWorker()
  const theirOther = await theirs.createWorker()
  assert.equal([their.pid, theirOther.pid], [our.pid, ourOther.pid])
  assert.is.not(our.pid, ourOther.pid)
  for (const [one, other] of [
    [our, ourOther],
    [their, theirOther]
  ] as const) {
    const [{ router, transport }, far] = [
      await routerWithTransport(one),
      await routerWithTransport(other)
    ]
    const producer = await transport.produce(audio())
    const piped = await router.pipeToRouter({ producerId: producer.id, router: far.router })
    assert.equal(
      [piped.pipeProducer!.id, piped.pipeConsumer!.producerId],
      [producer.id, producer.id]
    )
    const consumer = await far.transport.consume({
      producerId: producer.id,
      rtpCapabilities: far.router.rtpCapabilities
    })
    assert.is(consumer.producerId, producer.id)
    producer.close()
    await until(() => consumer.closed)
  }
})

test('an id that another session has chosen on the same Worker is refused with mediasoup’s own error, until it is free', async () => {
  const { our, their } = await twoLeases()
  const first = await (await routerWithTransport(our)).transport.produce({
    ...audio(),
    id: 'voice'
  })
  const { router, transport } = await routerWithTransport(their)
  const direct = await router.createDirectTransport()
  for (const refused of [
    transport.produce({ ...audio(), id: 'voice' }),
    direct.produceData({ id: 'voice' })
  ]) {
    assert.match(
      (await rejection(refused)).message,
      'Channel request handler with ID voice already exists'
    )
  }
  first.close()
  await until(() =>
    transport.produce({ ...audio(), id: 'voice' }).then(
      () => true,
      () => false
    )
  )
})

test('there are at most as many Workers as the host is to have, used evenly, unless one session asks for more', async () => {
  const open = shared({ poolSize: 2 })
  const sessions = await Promise.all(Array.from({ length: 5 }, open))
  const workers = await Promise.all(sessions.slice(1).map(mediasoup => mediasoup.createWorker()))
  const counts = [...Map.groupBy(workers, ({ pid }) => pid).values()].map(({ length }) => length)
  assert.equal(counts, [2, 2])
  assert.equal(await sessions[0]!.connection.getLoad(), {
    capacity: 2,
    used: 0,
    workers: 2,
    shared: 2,
    routers: 0,
    consumers: 0,
    draining: 0,
    wanted: 0
  })

  const pids = new Set<number>()
  for (let i = 0; i < 3; i++) pids.add((await sessions[0]!.createWorker()).pid)
  assert.is(pids.size, 3)
  assert.is((await sessions[0]!.connection.getLoad()).workers, 3)
})

test('a Worker without sessions stays for a while, and is closed then', async () => {
  const [soon, late] = [shared(), shared({ linger: 1_000_000 })]
  const [one, other] = [await (await soon()).createWorker(), await (await late()).createWorker()]
  one.close()
  other.close()
  await until(() => !isAlive(one.pid))
  await ended(other)
  const again = await (await late()).createWorker()
  assert.is(again.pid, other.pid)
  // Room for a Worker with other settings is made at once.
  again.close()
  const { pid } = await (await late()).createWorker({ logLevel: 'none' })
  afterTest(() => process.kill(pid, 'SIGKILL')) // It would stay.
  await until(() => !isAlive(other.pid))
})

test('what is logged changes for a session that is alone, and wrong settings are refused', async () => {
  const { open, our, their } = await twoLeases()
  const wrong = await rejection(our.updateSettings({ logLevel: 'chicken' as ms.WorkerLogLevel }))
  assert.instance(wrong, TypeError)
  // Both came for what is logged, so it stays.
  await our.updateSettings({ logLevel: 'none' })
  const third = await (await open()).createWorker()
  assert.is(third.pid, our.pid)
  for (const worker of [their, third]) {
    worker.close()
    await ended(worker)
  }
  await our.updateSettings({ logLevel: 'none' })
  const [same, other] = [
    await (await open()).createWorker({ logLevel: 'none' }),
    await (await open()).createWorker()
  ]
  assert.is(same.pid, our.pid)
  assert.is.not(other.pid, our.pid)
})

test('a session hears what is logged about a Worker that nobody else is on', async () => {
  const { mediasoup: ours, url } = await connectLeaf(['--share-workers', '--pool-size', '1'])
  const theirs = await connect(url)
  afterTest(() => theirs.close())
  const heard: string[] = []
  ours.setLogEventListeners({ onerror: (_, text) => heard.push(text) })
  const about = (pid: number) => heard.some(text => text.includes(`[pid:${pid}`))
  const dies = async (worker: ms.Worker) => {
    process.kill(worker.pid, 'SIGKILL')
    await until(() => worker.died)
  }
  const our = await ours.createWorker()
  const their = await theirs.createWorker()
  assert.is(our.pid, their.pid)
  await dies(our)
  const alone = await ours.createWorker()
  await dies(alone)
  await until(() => about(alone.pid))
  assert.not.ok(about(our.pid))
})

test('arguments with which one session would break a Worker of its own do not break that of others', async () => {
  const wrong: object = { ...LOCAL, port: { valueOf: 0, toString: 0 } }
  const listenInfos = [wrong as ms.TransportListenInfo]
  const own = await localMediasoup.createWorker()
  afterTest(() => process.kill(own.pid, 'SIGKILL')) // It cannot even be closed.
  assert.match(
    (await rejection(own.createWebRtcServer({ listenInfos }))).message,
    'primitive value'
  )
  assert.match((await rejection(own.createRouter())).message, 'FlatBuffers')

  const { our, their } = await twoLeases()
  assert.match(
    (await rejection(our.createWebRtcServer({ listenInfos }))).message,
    'primitive value'
  )
  await routerWithTransport(their)
  await routerWithTransport(our)
})

test('a lease begins with nothing used', async () => {
  const { open, our } = await twoLeases()
  const timeOf = async (worker: ms.Worker) => {
    const { ru_utime, ru_stime } = await worker.getResourceUsage()
    return ru_utime + ru_stime
  }
  await until(async () => {
    await Promise.all(Array.from({ length: 100 }, async () => (await our.createRouter()).close()))
    return (await timeOf(our)) > 10
  })
  const late = await (await open()).createWorker()
  assert.is(late.pid, our.pid)
  assert.ok((await timeOf(late)) < (await timeOf(our)))
})

test('a Router spans Workers that other sessions are on already', async () => {
  const tier = leaf(localMediasoup, { shareWorkers: true, poolSize: 2, linger: 0 })
  const [ours, ...others] = await Promise.all([
    client(vertical(tier, { policy: 'scatter' })),
    client(tier),
    client(tier)
  ])
  for (const mediasoup of [ours, ...others]) afterTest(() => mediasoup.close())
  const theirs = await Promise.all(others.map(mediasoup => mediasoup.createWorker()))
  const router = await (await ours.createWorker()).createRouter({ mediaCodecs: [opus] })
  const transports = []
  for (let i = 0; i < 3; i++) transports.push(await router.createDirectTransport())
  const pids = new Set<number>()
  for (const transport of transports) pids.add((await ours.connection.locate(transport)).pid)
  assert.equal([...pids].sort(), theirs.map(({ pid }) => pid).sort())
})

test('a host is to have fewer Workers than cores, also when sessions do not share them', async () => {
  const mediasoup = await client(
    vertical(leaf(localMediasoup, { maxWorkers: 1 }), { policy: 'scatter' })
  )
  afterTest(() => mediasoup.close())
  const router = await (await mediasoup.createWorker()).createRouter()
  const [one, other] = [await router.createDirectTransport(), await router.createDirectTransport()]
  assert.equal(await mediasoup.connection.locate(one), await mediasoup.connection.locate(other))
  assert.is((await mediasoup.connection.getLoad()).capacity, 1)
})

test.run()
