// A cluster that looks after the number of its hosts: what it tells, and how it gives one back.

import { setImmediate } from 'node:timers/promises'
import * as localMediasoup from 'mediasoup'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { client, connect, remote } from '../../../client/index.ts'
import type { Tier } from '../../../lib/tier.ts'
import type { Wanted } from '../../../lib/wanted.ts'
import { type HorizontalOptions, horizontal, vertical } from '../../../proxy/index.ts'
import { leaf, serve } from '../../../server/index.ts'
import { afterTest, cleanUp, rejection, until } from '../../helper.ts'
import { FakeLeaf } from '../../kit/fake-leaf.ts'

cleanUp(test)

const SCALE = { settle: 0, quiet: 0, interval: 20, max: 9 }

function startCluster(tiers: Tier[], scale: HorizontalOptions['scale'] = SCALE) {
  const cluster = horizontal(tiers, { scale })
  afterTest(() => cluster.close())
  return cluster
}

async function use(tier: Tier) {
  const mediasoup = await client(tier)
  afterTest(() => mediasoup.close())
  return mediasoup
}

/** A host with room for one Worker. */
function startHost(name: string) {
  const host = leaf(localMediasoup, { maxWorkers: 1 })
  afterTest(() => host.close())
  return Object.assign(host, { name })
}

test('a Worker that no host took is told as a host that is needed, and the next one is there for it', async () => {
  const cluster = startCluster([startHost('one')])
  const told: Wanted[] = []
  cluster.on('wanted', wanted => told.push(wanted))
  await until(() => cluster.load.capacity === 1)
  const mediasoup = await use(cluster)
  await mediasoup.createWorker()
  assert.match((await rejection(mediasoup.createWorker())).message, 'Workers')
  const { hosts, now, starting, cores, reason } = await until(() =>
    told.find(({ hosts }) => hosts === 2)
  )
  assert.equal([hosts, now, starting, cores], [2, 1, 1, 1])
  assert.match(reason, '2 Workers want a core each, of 1')
  cluster.add(startHost('two'))
  await mediasoup.createWorker({}).catch(() => undefined)
  await until(() => cluster.wanted?.now === 2 && cluster.wanted.starting === 0)
  assert.ok(cluster.wanted!.warmup! >= 0)
  await mediasoup.createWorker()
})

test('who asks for a Worker again and again waits for one, and who asks for several for as many', async () => {
  const cluster = startCluster([startHost('one')], { ...SCALE, interval: 300 })
  await until(() => cluster.load.capacity === 1)
  const mediasoup = await use(cluster)
  await mediasoup.createWorker()
  await until(() => cluster.hosts[0]?.workers === 1 && cluster.wanted?.now === 1)
  const again = () => rejection(mediasoup.createWorker())
  for (; !cluster.wanted?.starting; await setImmediate()) await again()
  assert.is(cluster.wanted.starting, 1)
  const other = await use(cluster)
  const several = () => Promise.all([1, 2, 3].map(() => rejection(other.createWorker())))
  for (; cluster.wanted.starting < 3; await setImmediate()) await several()
  assert.is(cluster.wanted.starting, 3)
})

test('what is wanted is in the load of the tiers above, of which some do not look after hosts', async () => {
  const [busy, idle] = [
    startCluster([new FakeLeaf(1)], { ...SCALE, min: 3 }),
    startCluster([new FakeLeaf(4), new FakeLeaf(4)])
  ]
  const above = horizontal([busy, idle, new FakeLeaf(2)])
  afterTest(() => above.close())
  await until(() => above.load.capacity === 11)
  const server = await serve(vertical(above), { port: 0 })
  afterTest(() => server.close())
  const mediasoup = await connect(server.url)
  afterTest(() => mediasoup.close())
  for (let i = 0; i < 4; i++) void (await (await use(busy)).createWorker())
  await until(() => busy.load.wanted === 3 && idle.load.wanted === -4)
  await until(async () => (await mediasoup.connection.getLoad()).wanted === -1)
})

test('a tier of an older release, which does not say it, counts as nothing wanted', async () => {
  const older = new FakeLeaf(2)
  Object.defineProperty(older, 'load', {
    get: () => ({ capacity: 2, used: 0, workers: 0, shared: 0, routers: 0, consumers: 0 })
  })
  const above = horizontal([older])
  afterTest(() => above.close())
  await until(() => above.load.capacity === 2)
  assert.equal([above.load.wanted, above.load.draining], [0, 0])
})

test('a host that is not needed is given back, and kept when it is needed before it has ended', async () => {
  const cluster = startCluster([startHost('one'), startHost('two')])
  const mediasoup = await use(cluster)
  await until(() => cluster.load.capacity === 2)
  const workers = [await mediasoup.createWorker(), await mediasoup.createWorker()]
  await until(() => cluster.hosts.every(({ workers }) => workers === 1))
  workers[1]!.close()
  const name = await until(() => cluster.wanted?.remove)
  await cluster.drain(name)
  await until(() => cluster.wanted?.now === 1 && cluster.wanted.draining === 1)
  await until(() => cluster.wanted?.remove === undefined)
  assert.match((await rejection(cluster.drain('three'))).message, 'has no host three')
})

test('a drain is cancelled through the cluster', async () => {
  const cluster = startCluster([startHost('one'), startHost('two')])
  const mediasoup = await use(cluster)
  await until(() => cluster.load.capacity === 2)
  await mediasoup.createWorker()
  const kept = cluster.hosts.find(({ workers }) => workers === 1)!.name
  assert.is((await cluster.drain(kept)).draining, true)
  await until(() => cluster.hosts.find(({ name }) => name === kept)!.givenBack)
  await mediasoup.createWorker()
  await rejection(mediasoup.createWorker())
  await until(() => cluster.wanted?.keep.includes(kept))
  assert.is(cluster.wanted!.starting, 0)
  await cluster.drain(kept, { cancel: true })
  await until(() => cluster.load.capacity === 2 && !cluster.wanted!.keep.length)
})

test('what makes no sense is refused', () => {
  const wrong = (scale: HorizontalOptions['scale']) => () => horizontal([], { scale })
  assert.throws(wrong({ target: 1.1 }), /target must be above 0 and at most 1 \(got 1.1\)/)
  assert.throws(wrong({ min: 3, max: 2 }), /min must be from 0 to max \(got 3 and 2\)/)
  assert.throws(wrong({ interval: 0 }), /interval must be from 1/)
})

test('the metrics have what is wanted', async () => {
  const host = await serve(leaf(localMediasoup), { port: 0 })
  afterTest(() => host.close())
  const cluster = startCluster([remote(host.url)], { ...SCALE, min: 2 })
  const server = await serve(cluster, { port: 0, metrics: true })
  afterTest(() => server.close())
  const read = async () => (await fetch(server.url.replace('ws', 'http') + '/metrics')).text()
  await until(async () => /^mafalda_starting_hosts 1$/m.test(await read()))
  const text = await read()
  assert.match(text, /^mafalda_wanted_hosts_hpa 2$/m)
  assert.match(text, /^mafalda_wanted_hosts 2$/m)
  assert.match(text, /^mafalda_wanted_cores 0$/m)
})

test.run()
