// A tier that spans over tiers that span.

import * as localMediasoup from 'mediasoup'
import type * as ms from 'mediasoup/types'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { client } from '../../client/index.ts'
import type { Tier } from '../../lib/tier.ts'
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
async function cross(
  router: ms.Router,
  from: ms.DirectTransport,
  to: ms.DirectTransport,
  ssrc: number
) {
  const producer = await from.produce(audio(ssrc))
  const consumer = await to.consume({
    producerId: producer.id,
    rtpCapabilities: router.rtpCapabilities
  })
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
  const east = vertical(await isUp(horizontal([hosts[0], hosts[1]])), {
    policy: 'scatter',
    maxWorkers: 2
  })
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
  const places = await Promise.all(
    transports.map(transport => mediasoup.connection.locate(transport))
  )
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

test('what passes between Workers on different hosts of a region does not go by loopback, also after Workers there died', async () => {
  const loopbacks = [0, 0, 0]
  const hosts = loopbacks.map((_, i) => {
    const host = leaf(localMediasoup, { pipeAddress: `127.0.0.${2 + i}` })
    return Object.create(host, {
      open: {
        value: async () => {
          const link = await host.open()
          const send = link.send.bind(link)
          link.send = (frame, head) => {
            if (/Router.createPipeTransport.*"127\.0\.0\.1"/.test(String(frame))) loopbacks[i]!++
            send(frame, head)
          }
          return link
        }
      }
    }) as Tier
  })
  const cluster = horizontal(hosts, { policy: 'scatter' })
  let up = 0
  cluster.on('up', () => up++)
  await isUp(cluster)
  await until(() => up === 3)
  const east = vertical(cluster, { policy: 'scatter', maxWorkers: 2 })
  const mediasoup = await client(
    vertical(await isUp(horizontal([east])), { policy: 'scatter', maxWorkers: 2 })
  )
  afterTest(() => mediasoup.close())
  const router = await (await mediasoup.createWorker()).createRouter({ mediaCodecs: [opus] })
  const transports = new Set<ms.DirectTransport>()
  for (let round = 0; round < 5; round++) {
    while (transports.size < 6) transports.add(await router.createDirectTransport())
    const [first, ...others] = transports
    // Until the two Routers of the region are at home on the same host.
    for (const [i, other] of round < 2 ? [] : others.entries()) {
      await cross(router, first!, other, 1000 * round + 10 * i + 1)
      await cross(router, other, first!, 1000 * round + 10 * i + 2)
    }
    // Both ends of what goes by loopback.
    assert.equal(
      loopbacks.map(count => count % 2),
      [0, 0, 0],
      `in round ${round}: ${loopbacks}`
    )
    process.kill((await mediasoup.connection.locate(router)).pid!, 'SIGKILL')
    await until(() => [...transports].some(({ closed }) => closed))
    for (const transport of transports) if (transport.closed) transports.delete(transport)
  }
})

test.run()
