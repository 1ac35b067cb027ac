// What happens to one branch of a tree is felt on no other.

import * as localMediasoup from 'mediasoup'
import { once } from 'node:events'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { UnknownOutcomeError, client, remote } from '../../../client/index.ts'
import type { OpenOptions, Tier } from '../../../lib/tier.ts'
import { horizontal } from '../../../proxy/index.ts'
import { leaf, serve } from '../../../server/index.ts'
import { afterTest, cleanUp, freePort, rejection, startLeaf, until } from '../../helper.ts'

cleanUp(test)

/** A leaf, and a proxy in front of it that can be killed and started again. */
async function startRegion() {
  const leaf = await startLeaf()
  const args = ['--listen', `127.0.0.1:${await freePort()}`, leaf.url]
  const start = async () => {
    const proxy = await startLeaf(args)
    await until(() => proxy.lines.some(line => line.includes('host is up')), 30)
    return proxy
  }
  const proxy = await start()
  return {
    leaf,
    node: JSON.parse(leaf.lines.find(line => line.includes('"listening"'))!).node as string,
    proxy,
    start
  }
}

/** A client over regions, with a Worker in each. */
async function stage(count: number) {
  const regions: Awaited<ReturnType<typeof startRegion>>[] = []
  while (regions.length < count) regions.push(await startRegion())
  const world = horizontal(
    regions.map(({ proxy }) => remote(proxy.url)),
    { policy: 'scatter' }
  )
  afterTest(() => world.close())
  let up = 0
  world.on('up', () => up++)
  await until(() => up === count)
  const mediasoup = await client(world)
  afterTest(() => mediasoup.close())
  const workers = new Map<string, Awaited<ReturnType<typeof mediasoup.createWorker>>>()
  for (let i = 0; i < count; i++) {
    const worker = await mediasoup.createWorker()
    workers.set((await mediasoup.connection.locate(worker)).node, worker)
  }
  return { regions, world, workers: regions.map(({ node }) => workers.get(node)!) }
}

test('while the proxy of one region is replaced and the leaf of another one stands still, a third answers', async () => {
  const {
    regions: [eu, us],
    world,
    workers: [inEu, inUs, inAsia]
  } = await stage(3)
  const { capacity } = world.load
  us!.leaf.child.kill('SIGSTOP')
  let isAnswered = false
  const asked = inUs!.getResourceUsage().then(() => {
    isAnswered = true
  })
  eu!.proxy.child.kill('SIGSTOP')
  const inFlight = rejection(inEu!.getResourceUsage())
  await inAsia!.getResourceUsage() // What was asked before has left.
  eu!.proxy.child.kill('SIGKILL')
  await eu!.proxy.exited
  await until(() => world.load.capacity < capacity)
  const waiting = inEu!.dump()
  for (let i = 0; i < 100; i++) await inAsia!.getResourceUsage()

  await eu!.start()
  assert.instance(await inFlight, UnknownOutcomeError)
  assert.is((await waiting).pid, inEu!.pid)
  for (let i = 0; i < 100; i++)
    await Promise.all([inAsia!.getResourceUsage(), inEu!.getResourceUsage()])
  assert.not.ok(isAnswered)
  us!.leaf.child.kill('SIGCONT')
  await asked
})

test('a proxy that takes over asks only the leaves that a session has something on', async () => {
  const SESSIONS = 4
  const LEAVES = 8
  const leaves: { url: string; tier: Tier }[] = []
  const dials: string[] = []
  for (let i = 0; i < LEAVES; i++) {
    const server = await serve(leaf(localMediasoup))
    afterTest(() => server.close())
    leaves.push({ url: server.url, tier: remote(server.url) })
  }
  const counted = ({ tier, url }: { tier: Tier; url: string }): Tier =>
    Object.create(tier, {
      open: {
        value: (options?: OpenOptions) => {
          if (options?.key) dials.push(url)
          return tier.open(options)
        }
      }
    }) as Tier
  const clusters = [
    horizontal(leaves.map(counted), { policy: 'scatter' }),
    horizontal(leaves.map(counted))
  ]
  const ups = clusters.map(cluster => {
    afterTest(() => cluster.close())
    const up = new Set<Tier>()
    cluster.on('up', tier => up.add(tier))
    return up
  })
  await until(() => ups.every(({ size }) => size === LEAVES))
  const servers = [await serve(clusters[0]!), await serve(clusters[1]!)] as const
  for (const server of servers) afterTest(() => server.close())
  const sessions = await Promise.all(
    Array.from({ length: SESSIONS }, async () => {
      const mediasoup = await client(remote(servers.map(({ url }) => url)))
      afterTest(() => mediasoup.close())
      return {
        mediasoup,
        workers: [await mediasoup.createWorker(), await mediasoup.createWorker()]
      }
    })
  )
  const before = dials.splice(0).toSorted()
  assert.is(before.length, 2 * SESSIONS)

  const regained = sessions.map(({ mediasoup }) => once(mediasoup.connection, 'regained'))
  await servers[0].close({ comesBack: true })
  for (const [isResumed] of await Promise.all(regained)) assert.is(isResumed, true)
  assert.equal(dials.toSorted(), before)
  for (const { workers } of sessions)
    for (const worker of workers) assert.is((await worker.dump()).pid, worker.pid)
})

/** A leaf whose answers come later than its cluster waits for them, when it is told to. */
async function slowStage() {
  const inner = leaf(localMediasoup)
  const held: (() => void)[] = []
  let isHeld = false
  const slow: Tier = {
    name: 'slow',
    async open(options) {
      const link = await inner.open(options)
      const emit = link.emit.bind(link) as (event: string, ...args: unknown[]) => boolean
      link.emit = ((event: string, ...args: unknown[]) => {
        if (event !== 'frame' || !isHeld) return emit(event, ...args)
        held.push(() => emit(event, ...args))
        return true
      }) as typeof link.emit
      return link
    },
    close: () => inner.close()
  }
  const cluster = horizontal([slow], { timeout: 6_000 })
  afterTest(() => cluster.close())
  const mediasoup = await client(cluster)
  afterTest(() => mediasoup.close())
  return {
    mediasoup,
    hold: () => {
      isHeld = true
    },
    held,
    letGo() {
      isHeld = false
      for (const deliver of held.splice(0)) deliver()
    }
  }
}

test('what the late answer to a call that was given up brings is closed', async () => {
  const { mediasoup, hold, held, letGo } = await slowStage()
  const worker = await mediasoup.createWorker()
  const router = await worker.createRouter()
  const transport = await router.createDirectTransport()
  const producer = await transport.produceData()
  const consumer = await transport.consumeData({ dataProducerId: producer.id })
  hold()
  const calls = [
    () => mediasoup.createWorker(),
    () => worker.createRouter(),
    () => router.createDirectTransport(),
    () => transport.produceData(),
    () => transport.consumeData({ dataProducerId: producer.id })
  ]
  const { length } = held
  for (const error of await Promise.all(calls.map(call => rejection(call())))) {
    assert.match(error.message, /^the host slow did not answer \S+\(\) within 6000 ms$/)
  }
  await until(() => held.length >= length + calls.length)
  letGo()

  await until(async () => (await worker.dump()).routerIds.length === 1)
  await until(async () => (await router.dump()).transportIds.length === 1)
  const dump = await until(async () => {
    const dump = await transport.dump()
    return dump.dataProducerIds.length === 1 && dump.dataConsumerIds.length === 1 && dump
  })
  assert.equal([dump.dataProducerIds, dump.dataConsumerIds], [[producer.id], [consumer.id]])
  await until(async () => (await mediasoup.connection.getLoad()).workers === 1)
})

test.run()
