// A host that is to end, under proxies: what they place elsewhere, what they move themselves, and
// what applications hear.

import * as localMediasoup from 'mediasoup'
import type * as ms from 'mediasoup/types'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  type DrainingHost,
  DrainingError,
  type RemoteMediasoup,
  client,
  connect
} from '../../client/index.ts'
import type { Tier } from '../../lib/tier.ts'
import { type HorizontalOptions, horizontal, vertical } from '../../proxy/index.ts'
import { type LeafTier, leaf } from '../../server/index.ts'
import {
  afterTest,
  audio,
  cleanUp,
  opus,
  raw,
  rejection,
  rtp,
  run,
  startLeaf,
  until
} from '../helper.ts'

cleanUp(test)

async function use(tier: Tier): Promise<RemoteMediasoup> {
  const mediasoup = await client(tier)
  afterTest(() => mediasoup.close())
  return mediasoup
}

/** A cluster of children, all of them up. */
async function clusterOf(tiers: Tier[], options?: HorizontalOptions) {
  const cluster = horizontal(tiers, options)
  afterTest(() => cluster.close())
  const up = new Set<Tier>()
  cluster.on('up', tier => up.add(tier))
  cluster.on('down', tier => up.delete(tier))
  await until(() => up.size === tiers.length)
  return { cluster, up }
}

const nodeOf = async (
  { connection }: RemoteMediasoup,
  object: { closed: boolean; appData: ms.AppData }
) => (await connection.locate(object)).node

function listen({ connection }: RemoteMediasoup): DrainingHost[] {
  const told: DrainingHost[] = []
  connection.on('draining', host => told.push(host))
  return told
}

/** Leaves of this process. */
const leavesOf = (count: number) =>
  Array.from({ length: count }, () => leaf(localMediasoup, { poolSize: 2 })) as [
    LeafTier,
    ...LeafTier[]
  ]

test('a cluster places nothing more on a host that drains, and again when that is cancelled', async () => {
  const leaves = leavesOf(2)
  const { cluster } = await clusterOf(leaves)
  const mediasoup = await use(cluster)
  const first = await mediasoup.createWorker()
  const node = await nodeOf(mediasoup, first)
  const draining = leaves.find(leaf => leaf.node === node)!
  draining.drain.start()
  await until(() => cluster.load.capacity === 2)
  for (let i = 0; i < 5; i++)
    assert.is.not(await nodeOf(mediasoup, await mediasoup.createWorker()), draining.node)
  draining.drain.cancel()
  await until(() => cluster.load.capacity === 4)
  assert.is(await nodeOf(mediasoup, await mediasoup.createWorker()), draining.node)
})

test('a host that drains, and of which the cluster has not heard that yet, passes a Worker on to the next', async () => {
  const leaves = leavesOf(2)
  const { cluster } = await clusterOf(leaves.map(deafToLoad))
  const mediasoup = await use(cluster)
  leaves[0].drain.start()
  for (let i = 0; i < 3; i++)
    assert.is(await nodeOf(mediasoup, await mediasoup.createWorker()), leaves[1]!.node)
  leaves[1]!.drain.start()
  assert.instance(await rejection(mediasoup.createWorker()), DrainingError)
})

/** A tier that tells its load once only. */
const deafToLoad = (tier: Tier): Tier => ({
  close: () => tier.close(),
  async open() {
    const link = await tier.open()
    const emit = link.emit.bind(link)
    link.emit = ((event: string, ...args: unknown[]) =>
      event === 'frame' && String(args[0]).includes('"method":"tier.load"')
        ? false
        : emit(event as 'frame', ...(args as [string]))) as typeof link.emit
    return link
  }
})

test('a Worker that was asked of a host which ends before it answers is asked of the next', async () => {
  const leaves = leavesOf(2)
  const ending: Tier = {
    close: () => leaves[0].close(),
    async open() {
      const link = await leaves[0].open()
      const send = link.send.bind(link)
      link.send = frame =>
        frame.includes('createWorker')
          ? link.emit('close', new Error('the host ended'))
          : send(frame)
      return link
    }
  }
  const { cluster } = await clusterOf([ending, leaves[1]!])
  const mediasoup = await use(cluster)
  assert.is(await nodeOf(mediasoup, await mediasoup.createWorker()), leaves[1]!.node)
})

test('a cluster says that it is drained host by host', async () => {
  const host = await startLeaf()
  const proxy = await startLeaf([host.url])
  const peer = await raw(proxy.url)
  assert.match((await peer.call('tier.drain', {})).error!.message, /ask each at its own URL/)
})

test('a spanning Worker leaves a host by itself, but for its transports, whose application is told', async () => {
  const leaves = leavesOf(2)
  const { cluster } = await clusterOf(leaves)
  const mediasoup = await use(vertical(cluster, { linger: 0 }))
  const told = listen(mediasoup)
  const worker = await mediasoup.createWorker()
  worker.on('died', () => {
    throw new Error('it should outlive the host')
  })
  const [room, empty] = [
    await worker.createRouter({ mediaCodecs: [opus] }),
    await worker.createRouter({ mediaCodecs: [opus] })
  ]
  const server = await worker.createWebRtcServer({
    listenInfos: [{ protocol: 'udp', ip: '127.0.0.1' }]
  })
  const old = await room.createDirectTransport()
  const node = await nodeOf(mediasoup, old)
  const [draining, other] = [
    leaves.find(leaf => leaf.node === node)!,
    leaves.find(leaf => leaf.node !== node)!
  ]

  draining.drain.start({ deadline: 60_000 })
  await until(() => told.length)
  assert.is(told[0]!.node, node)
  assert.ok(told[0]!.deadline! <= 60_000)
  assert.equal(told[0]!.workers, [], 'it lives on')
  assert.is(told[0]!.transports.length, 1)
  assert.is(told[0]!.transports[0], old)

  const producer = await old.produce(audio())
  const moved = await room.createDirectTransport()
  assert.is(await nodeOf(mediasoup, moved), other.node)
  const consumer = await moved.consume({
    producerId: producer.id,
    rtpCapabilities: room.rtpCapabilities
  })
  await flows(producer, consumer)
  assert.is(
    await nodeOf(mediasoup, await (await worker.createRouter()).createDirectTransport()),
    other.node
  )
  assert.is(draining.drain.state.ended, undefined)

  old.close()
  await until(() => draining.drain.state.ended === 'empty')
  assert.equal((await empty.dump()).transportIds, [])
  assert.equal((await server.dump()).webRtcTransportIds, [])
  assert.is(await nodeOf(mediasoup, empty), other.node)
  assert.not(worker.closed)
})

async function flows(producer: ms.Producer, ...consumers: ms.Consumer[]) {
  const heard = consumers.map(() => 0)
  consumers.forEach((consumer, i) => consumer.on('rtp', () => heard[i]!++))
  let sequence = Math.floor(Math.random() * 10_000)
  await until(() => {
    producer.send(rtp(sequence++))
    return heard.every(count => count > 3)
  })
}

test('a spanning Worker that was moved grows back to the host when the drain is cancelled', async () => {
  const leaves = leavesOf(2)
  const { cluster } = await clusterOf(leaves)
  const mediasoup = await use(vertical(cluster, { policy: 'scatter', linger: 0 }))
  const worker = await mediasoup.createWorker()
  const router = await worker.createRouter()
  const first = await router.createDirectTransport()
  const node = await nodeOf(mediasoup, first)
  const draining = leaves.find(leaf => leaf.node === node)!
  draining.drain.start()
  await until(() => cluster.load.capacity === 2)
  const nodes = () =>
    Promise.all(
      Array.from({ length: 4 }, async () => nodeOf(mediasoup, await router.createDirectTransport()))
    )
  assert.not((await nodes()).includes(draining.node!))
  draining.drain.cancel()
  await until(() => cluster.load.capacity === 4)
  assert.ok((await nodes()).includes(draining.node!))
})

test('where there is no other place, transports still go to the host, and its Workers are said to end with it', async () => {
  const [host] = leavesOf(1)
  const mediasoup = await use(vertical(host))
  const told = listen(mediasoup)
  const worker = await mediasoup.createWorker()
  const router = await worker.createRouter()
  host.drain.start()
  await until(() => told.length)
  assert.is(told[0]!.workers.length, 1)
  assert.is(told[0]!.workers[0], worker)
  assert.is(await nodeOf(mediasoup, await router.createDirectTransport()), host.node)
  assert.instance(await rejection(worker.createRouter()), DrainingError)
  assert.instance(await rejection(mediasoup.createWorker()), DrainingError)
})

test('spanning tiers above each other move a Worker to another host, too', async () => {
  const leaves = leavesOf(2)
  const { cluster } = await clusterOf(leaves.map(leaf => vertical(leaf, { linger: 0 })))
  const mediasoup = await use(vertical(cluster, { linger: 0 }))
  const told = listen(mediasoup)
  const worker = await mediasoup.createWorker()
  const router = await worker.createRouter()
  const transport = await router.createDirectTransport()
  const node = await nodeOf(mediasoup, transport)
  const draining = leaves.find(leaf => leaf.node === node)!
  draining.drain.start()
  await until(() => told.length)
  assert.equal(told[0]!.workers, [])
  assert.is(told[0]!.transports[0], transport)
  transport.close()
  await until(() => draining.drain.state.ended === 'empty')
  assert.not(worker.closed)
  assert.is.not(await nodeOf(mediasoup, await router.createDirectTransport()), node)
})

/** Two hosts with a Worker each to give, as one tier. */
async function startTree(...args: string[]) {
  const hosts = await Promise.all([startLeaf(ONE), startLeaf(ONE)])
  const tree = await startLeaf([...args, ...hosts.map(({ url }) => url)])
  const mediasoup = await connect(tree.url)
  afterTest(() => mediasoup.close())
  // Its load alone may be that of a second ago, when the host that was restarted had not ended yet.
  let ups = hosts.length
  const areUp = () =>
    until(
      async () =>
        tree.lines.filter(line => line.includes('host is up')).length === ups &&
        (await mediasoup.connection.getLoad()).capacity === hosts.length,
      20
    )
  await areUp()

  /** Drains one host after the other, and starts it again. */
  async function restartAll(between: () => Promise<void>) {
    for (const { url, exited } of hosts) {
      await between()
      const command = run(['drain', url, '--deadline', '60'])
      assert.equal(await exited, [0, null])
      assert.equal(await command.exited, [0, null])
      assert.is(command.lines.at(-1), 'empty: the host ends', 'nothing was left on it')
      await startLeaf([...ONE, '--listen', new URL(url).host])
      ups++
      await areUp()
    }
    await between()
  }
  return { mediasoup, restartAll }
}

const ONE = ['--pool-size', '1']

test('a rolling restart of all hosts below a spanning tier loses nothing, when the application moves its participants', async () => {
  const { mediasoup, restartAll } = await startTree('--vertical')
  const worker = await mediasoup.createWorker()
  const ended: string[] = []
  worker.on('died', () => ended.push('Worker'))
  const router = await worker.createRouter({ mediaCodecs: [opus] })
  let [speaker, listener] = [
    await router.createDirectTransport(),
    await router.createDirectTransport()
  ]
  let producer = await speaker.produce(audio())
  const listen = () =>
    listener.consume({ producerId: producer.id, rtpCapabilities: router.rtpCapabilities })
  let consumer = await listen()
  let moves = 0

  mediasoup.connection.on('draining', async ({ workers, transports }) => {
    assert.equal(workers, [])
    if (transports.includes(speaker)) {
      speaker = await router.createDirectTransport()
      producer = await speaker.produce(audio())
    }
    if (transports.includes(listener)) listener = await router.createDirectTransport()
    consumer = await listen()
    for (const transport of transports) transport.close()
    moves++
  })
  await restartAll(() => flows(producer, consumer))
  assert.ok(moves > 0)
  assert.equal(ended, [])
  assert.not(router.closed)
})

test('a spanning tier that is replaced while a host drains still leaves it', async () => {
  const hosts = await Promise.all([startLeaf(ONE), startLeaf(ONE)])
  const urls = hosts.map(({ url }) => url)
  const tree = await startLeaf(['--vertical', ...urls])
  const mediasoup = await connect(tree.url)
  afterTest(() => mediasoup.close())
  await until(async () => (await mediasoup.connection.getLoad()).capacity === 2)
  const told = listen(mediasoup)
  const worker = await mediasoup.createWorker()
  const router = await worker.createRouter()
  const transport = await router.createDirectTransport()
  const node = await nodeOf(mediasoup, transport)
  const draining = hosts.find(({ lines }) => lines.some(line => JSON.parse(line).node === node))!
  run(['drain', draining.url, '--deadline', '60'])
  await until(() => told.length === 1)

  tree.child.kill('SIGKILL')
  await tree.exited
  await startLeaf(['--vertical', '--listen', new URL(tree.url).host, ...urls])
  await until(() => told.length === 2)
  assert.equal(told[1]!.workers, [])
  const moved = await router.createDirectTransport()
  assert.is.not(await nodeOf(mediasoup, moved), node)
  transport.close()
  assert.equal(await draining.exited, [0, null])
  assert.not(worker.closed)
  assert.not(moved.closed)
})

test('nor does one below a cluster, when the application moves its rooms', async () => {
  const { mediasoup, restartAll } = await startTree()
  const ended: string[] = []
  const rooms = new Map<ms.Worker, ms.Router>()
  async function open() {
    const worker = await mediasoup.createWorker()
    worker.on('died', () => ended.push('Worker'))
    rooms.set(worker, await worker.createRouter({ mediaCodecs: [opus] }))
  }
  for (let i = 0; i < 4; i++) await open()
  let moves = 0
  mediasoup.connection.on('draining', async ({ workers }) => {
    for (const worker of workers) {
      await open()
      rooms.delete(worker)
      worker.close()
      moves++
    }
  })
  await restartAll(async () => {
    for (const router of rooms.values()) assert.not((await router.createDirectTransport()).closed)
  })
  assert.is(rooms.size, 4)
  assert.ok(moves >= 4, 'all were moved')
  assert.equal(ended, [])
})

test.run()
