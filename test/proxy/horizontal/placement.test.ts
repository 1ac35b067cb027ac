// Where a cluster puts Workers, and what it tells of its load. Its children are without media; what
// they say of themselves is simulated.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { FakeLeaf } from '../../kit/fake-leaf.ts'
import { client } from '../../../client/index.ts'
import type { Load } from '../../../lib/load.ts'
import type { Link, Tier } from '../../../lib/tier.ts'
import { type Horizontal, horizontal, vertical } from '../../../proxy/index.ts'
import { afterTest, cleanUp, until } from '../../helper.ts'

cleanUp(test)

/** A cluster of children, all of them up. */
async function startCluster(tiers: Tier[]): Promise<Horizontal> {
  const cluster = horizontal(tiers)
  afterTest(() => cluster.close())
  let up = 0
  cluster.on('up', () => up++)
  await until(() => up === tiers.length)
  return cluster
}

async function use(tier: Tier) {
  const mediasoup = await client(tier)
  afterTest(() => mediasoup.close())
  return mediasoup
}

const workersOf = (leaves: FakeLeaf[]) => leaves.map(leaf => leaf.of('Worker').length)
const leavesOf = (...cores: number[]) => cores.map(count => new FakeLeaf(count))

test('no host gets more Workers than it has cores while another one has a free core', async () => {
  const leaves = leavesOf(8, 1, 3)
  const mediasoup = await use(await startCluster(leaves))
  for (let i = 0; i < 12; i++) await mediasoup.createWorker()
  assert.equal(workersOf(leaves), [8, 1, 3])
  for (let i = 0; i < 12; i++) await mediasoup.createWorker()
  assert.is(
    leaves.reduce((sum, leaf) => sum + leaf.of('Worker').length, 0),
    24
  )
})

test('nor do sessions that ask at the same time, whatever the hosts report meanwhile', async () => {
  const leaves = leavesOf(8, 1, 3)
  const held: (() => void)[] = []
  const cluster = await startCluster(leaves.map(leaf => holdingWorkers(leaf, held)))
  const sessions = await Promise.all(Array.from({ length: 4 }, () => use(cluster)))
  const creating = sessions.flatMap(session => [session.createWorker(), session.createWorker()])
  await until(() => held.length === 8)
  const { used } = cluster.load
  for (const leaf of leaves) leaf.report()
  await until(() => cluster.load.used !== used)
  assert.is(
    cluster.load.workers,
    8,
    'what is on its way counts, although the hosts do not know of it'
  )
  creating.push(...sessions.map(session => session.createWorker()))
  await until(() => held.length === 12)
  for (const release of held) release()
  await Promise.all(creating)
  assert.equal(workersOf(leaves), [8, 1, 3])
})

/** A tier to which requests for Workers come late. */
function holdingWorkers(tier: Tier, held: (() => void)[]): Tier {
  return {
    close: () => tier.close(),
    async open() {
      const link = await tier.open()
      const send = link.send.bind(link)
      link.send = frame => {
        if (frame.includes('mediasoup.createWorker')) held.push(() => send(frame))
        else send(frame)
      }
      return link
    }
  }
}

test('a Router over hosts grows to one Worker per core of each, and no further', async () => {
  const leaves = leavesOf(5, 1, 2)
  // So low that each transport takes a Worker as long as there may be one more.
  const mediasoup = await use(vertical(await startCluster(leaves), { watermark: 0.001 }))
  const router = await (await mediasoup.createWorker()).createRouter()
  for (let i = 0; i < 8; i++) await router.createDirectTransport()
  assert.equal(workersOf(leaves), [5, 1, 2])
  for (let i = 0; i < 8; i++) await router.createDirectTransport()
  assert.equal(workersOf(leaves), [5, 1, 2])
})

test('what was promised to a host counts no longer when the session that asked for it is gone', async () => {
  const [leaf] = leavesOf(4)
  const cluster = await startCluster([holdingWorkers(leaf!, [])])
  const mediasoup = await client(cluster)
  mediasoup.createWorker().catch(() => {})
  await until(() => cluster.load.workers === 1)
  mediasoup.close()
  await until(() => cluster.load.workers === 0)
})

test('when the best host cannot be reached, the next best gets the Worker', async () => {
  const leaves = leavesOf(2, 8, 4)
  // It is watched, but has no room for more sessions.
  let sessions = 0
  const full: Tier = {
    close: () => leaves[1]!.close(),
    open: async () => {
      if (sessions++) throw new Error('too many connections')
      return leaves[1]!.open()
    }
  }
  const mediasoup = await use(await startCluster([leaves[0]!, full, leaves[2]!]))
  await mediasoup.createWorker()
  assert.is(sessions, 2)
  assert.equal(workersOf(leaves), [0, 0, 1])
})

test('when no host can be reached, each is tried once', async () => {
  const leaves = leavesOf(2, 2, 2)
  let sessions = 0
  const full = (leaf: FakeLeaf): Tier => ({
    close: () => leaf.close(),
    open: async () => {
      if (sessions++ >= leaves.length) throw new Error('too many connections')
      return leaf.open()
    }
  })
  const mediasoup = await use(await startCluster(leaves.map(full)))
  const error = await mediasoup.createWorker().then(
    () => undefined,
    (error: Error) => error
  )
  assert.match(error!.message, /too many connections/)
  assert.is(sessions, 2 * leaves.length)
})

test('a host whose connection is lost gets no Workers until it is regained', async () => {
  const leaves = leavesOf(8, 2)
  const links: Link[] = []
  const kept: Tier = {
    close: () => leaves[0]!.close(),
    async open() {
      const link = await leaves[0]!.open()
      links.push(link)
      return link
    }
  }
  const cluster = await startCluster([kept, leaves[1]!])
  const mediasoup = await use(cluster)
  links[0]!.emit('lost', new Error('the network is down'))
  assert.is(cluster.load.capacity, 2)
  for (let i = 0; i < 3; i++) await mediasoup.createWorker()
  assert.equal(workersOf(leaves), [0, 3])
  links[0]!.emit('regained', false)
  assert.is(cluster.load.capacity, 10)
  await mediasoup.createWorker()
  assert.equal(workersOf(leaves), [1, 3])
})

test('when all connections are lost, a Worker waits for the first that is regained', async () => {
  const leaves = leavesOf(2, 2)
  const links: Link[] = []
  const kept = (leaf: FakeLeaf): Tier => ({
    close: () => leaf.close(),
    async open() {
      const link = await leaf.open()
      links.push(link)
      return link
    }
  })
  const mediasoup = await use(await startCluster(leaves.map(kept)))
  const watching = links.slice(0, 2)
  for (const link of watching) link.emit('lost', new Error('the network is down'))
  let isMade = false
  const worker = mediasoup.createWorker().then(() => {
    isMade = true
  })
  await mediasoup.connection.getLoad()
  assert.not.ok(isMade)
  watching[1]!.emit('regained', false)
  await worker
  assert.equal(workersOf(leaves), [0, 1])

  // Those that are given up are not waited for.
  watching[1]!.emit('lost', new Error('the network is down'))
  const late = mediasoup.createWorker().then(
    () => undefined,
    (error: Error) => error
  )
  await mediasoup.connection.getLoad()
  for (const link of watching) link.emit('close', new Error('the network is down for good'))
  assert.match((await late)?.message ?? '', 'no host of the cluster can be reached')
})

test('its load is that of its hosts, also after they came, reported and went', async () => {
  const leaves = leavesOf(1, 2, 4, 8)
  const cluster = await startCluster(leaves)
  const mediasoup = await use(cluster)
  for (let i = 0; i < 10; i++) await mediasoup.createWorker()
  for (let i = 0; i < 1_000; i++) leaves[i % leaves.length]!.report()
  await until(() => cluster.load.workers === 10)
  assert.is(cluster.load.capacity, 15)
  cluster.delete(leaves[3]!)
  assert.is(cluster.load.capacity, 7)
  cluster.close()
  assert.equal(cluster.load, {
    capacity: 0,
    used: 0,
    workers: 0,
    shared: 0,
    routers: 0,
    consumers: 0,
    draining: 0,
    wanted: 0
  })
})

test('many reports of its hosts are one of its own', async () => {
  const leaves = leavesOf(...Array.from({ length: 50 }, () => 1))
  const cluster = await startCluster(leaves)
  const told: Load[] = []
  cluster.on('load', load => told.push(load))
  const link: Link = await cluster.open()
  afterTest(() => link.close())
  const heard: string[] = []
  link.on('frame', frame => heard.push(String(frame)))
  link.send('{"jsonrpc":"2.0","id":1,"method":"tier.load","params":[]}')
  await until(() => heard.length)
  const worker = await (await use(cluster)).createWorker()
  await worker.createRouter()
  await until(() => {
    for (const leaf of leaves) leaf.report()
    return told.at(-1)?.routers === 1
  })
  // The answer, and the reports that the cluster itself told meanwhile.
  assert.is(heard.length, 1 + told.length)
  assert.ok(told.length < leaves.length)
})

test.run()
