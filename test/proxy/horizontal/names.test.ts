// What tiers below call a cluster and its sessions: no client can pass for a tier, and a host
// that is below two children is used as one.

import * as localMediasoup from 'mediasoup'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { client, remote } from '../../../client/index.ts'
import { horizontal } from '../../../proxy/index.ts'
import { leaf, serve } from '../../../server/index.ts'
import { afterTest, cleanUp, raw, until } from '../../helper.ts'

cleanUp(test)

test('a client that says that a tier below is above has no tier taken out as a cycle', async () => {
  const region = horizontal([leaf(localMediasoup)])
  afterTest(() => region.close())
  await until(() => region.load.capacity)
  let below = await serve(region)
  const cluster = horizontal([remote(below.url)])
  afterTest(() => cluster.close())
  const refusals: string[] = []
  let [ups, downs] = [0, 0]
  cluster.on('up', () => ups++)
  cluster.on('down', () => downs++)
  cluster.on('refused', (_, { message }) => refusals.push(message))
  await until(() => ups === 1)
  const above = await serve(cluster)
  afterTest(() => above.close())

  const peer = await raw(above.url)
  assert.ok((await peer.call('tier.hello', { via: [region.node] })).result)
  await below.close()
  await until(() => downs === 1)
  below = await serve(region, { port: Number(new URL(below.url).port) })
  afterTest(() => below.close())
  await until(() => ups === 2 || refusals.length)
  assert.equal(refusals, [])
  assert.is(peer.socket.readyState, peer.socket.OPEN)
})

test('a host that two clusters below have in common is used by one of them, and nothing is lost', async () => {
  const host = await serve(leaf(localMediasoup))
  afterTest(() => host.close())
  const regions = [1, 2].map(() => horizontal([remote(host.url)]))
  const cluster = horizontal(regions, { policy: 'scatter' })
  afterTest(() => cluster.close())
  let ups = 0
  cluster.on('up', () => ups++)
  await until(() => ups === 2)
  // As on a tier that is served, where sessions below have keys that follow from its own.
  const server = await serve(cluster)
  afterTest(() => server.close())
  const mediasoup = await client(remote(server.url))
  afterTest(() => mediasoup.close())
  const workers = []
  for (let i = 0; i < 4; i++) workers.push(await mediasoup.createWorker())
  for (const worker of workers) assert.ok(await worker.dump())
  assert.equal(
    workers.map(({ died }) => died),
    [false, false, false, false]
  )
})

test.run()
