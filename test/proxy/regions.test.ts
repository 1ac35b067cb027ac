// A tier that spans over tiers that span.

import * as localMediasoup from 'mediasoup'
import type * as ms from 'mediasoup/types'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { client } from '../../client/index.ts'
import { type Horizontal, horizontal, vertical } from '../../proxy/index.ts'
import { leaf } from '../../server/index.ts'
import { afterTest, audio, cleanUp, opus, rtp, until } from '../helper.ts'

cleanUp(test)

async function isUp(cluster: Horizontal) {
  afterTest(() => cluster.close())
  await until(() => cluster.load.capacity > 0)
  return cluster
}

/** What one transport sends comes to another one. */
async function cross(router: ms.Router, from: ms.DirectTransport, to: ms.DirectTransport, ssrc: number) {
  const producer = await from.produce(audio(ssrc))
  const consumer = await to.consume({ producerId: producer.id, rtpCapabilities: router.rtpCapabilities })
  const { promise, resolve } = Promise.withResolvers<void>()
  consumer.once('rtp', () => resolve())
  let sequence = 0
  const timer = setInterval(() => producer.send(rtp(sequence++, { ssrc })), 5)
  try {
    await promise
  } finally {
    clearInterval(timer)
  }
}

test('media passes between regions again when a Worker died that carried a pipe between them, and the Router of its region lives on', async () => {
  const hosts = [leaf(localMediasoup), leaf(localMediasoup), leaf(localMediasoup)] as const
  const east = vertical(await isUp(horizontal([hosts[0], hosts[1]])), { policy: 'scatter', maxWorkers: 2 })
  const regions = horizontal([east, hosts[2]], { policy: 'scatter' })
  const up = new Set<unknown>()
  regions.on('up', tier => up.add(tier))
  await isUp(regions)
  await until(() => up.size === 2)
  const mediasoup = await client(vertical(regions, { policy: 'scatter', maxWorkers: 2 }))
  afterTest(() => mediasoup.close())
  const router = await (await mediasoup.createWorker()).createRouter({ mediaCodecs: [opus] })
  const transports: ms.DirectTransport[] = []
  for (let i = 0; i < 6; i++) transports.push(await router.createDirectTransport())
  const places = await Promise.all(transports.map(transport => mediasoup.connection.locate(transport)))
  const [first] = places.filter(({ node }) => node !== hosts[2].node)
  const on = (node: string | undefined) => transports.find((_, i) => places[i]!.node === node)!
  const west = on(hosts[2].node)
  await cross(router, on(first!.node), west, 1111)

  process.kill(first!.pid!, 'SIGKILL')
  await until(() => on(first!.node).closed)
  const rest = transports.filter(({ closed }) => !closed)
  assert.ok(rest.length >= 3)
  for (const [i, transport] of rest.filter(transport => transport !== west).entries()) {
    await cross(router, transport, west, 2000 + i)
    await cross(router, west, transport, 3000 + i)
  }
})

test.run()
