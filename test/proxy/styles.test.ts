// JSON written in another way than ours (other order of members, spaces) is understood wherever
// first bytes are read: by a leaf, a proxy, a client and between tiers. Only slower.

import * as localMediasoup from 'mediasoup'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { client } from '../../client/index.ts'
import { LinkFilter } from '../../lib/link-filter.ts'
import type { Frame, OpenOptions, Tier } from '../../lib/tier.ts'
import { horizontal, vertical } from '../../proxy/index.ts'
import { leaf } from '../../server/index.ts'
import { afterTest, audio, cleanUp, opus, until } from '../helper.ts'

cleanUp(test)

/** As another JSON library could write it. */
const restyled = (frame: Frame): Frame =>
  typeof frame === 'string' ? spaced(JSON.parse(frame)) : frame

function spaced(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (Array.isArray(value)) return `[ ${value.map(spaced).join(', ')} ]`
  return `{ ${Object.entries(value)
    .toReversed()
    .map(([name, each]) => `${JSON.stringify(name)}: ${spaced(each)}`)
    .join(', ')} }`
}

class RestyledLink extends LinkFilter {
  override receive(frame: Frame) {
    this.emit('frame', restyled(frame))
  }

  override send(frame: Frame) {
    super.send(restyled(frame))
  }
}

const restyling = (tier: Tier): Tier => ({
  name: tier.name,
  open: async (options?: OpenOptions) => new RestyledLink(await tier.open(options)),
  close: () => tier.close()
})

const leaves = () => [1, 2].map(() => restyling(leaf(localMediasoup)))

function clusterOf(tiers: Tier[]) {
  const cluster = horizontal(tiers)
  afterTest(() => cluster.close())
  return cluster
}

const expressions: [name: string, tier: () => Tier][] = [
  ['a leaf', () => leaf(localMediasoup)],
  ['a cluster', () => clusterOf(leaves())],
  ['a vertical tier', () => vertical(restyling(leaf(localMediasoup)))],
  ['an aggregator', () => vertical(restyling(clusterOf(leaves())))]
]

for (const [name, tier] of expressions) {
  test(`${name} serves a client, and is served, whose JSON is written in another way`, async () => {
    const mediasoup = await client(restyling(tier()))
    afterTest(() => mediasoup.close())
    const [worker, other] = [await mediasoup.createWorker(), await mediasoup.createWorker()]
    const [router, there] = await Promise.all(
      [worker, other].map(each => each.createRouter({ mediaCodecs: [opus] }))
    )
    const webRtcServer = await worker.createWebRtcServer({
      listenInfos: [{ protocol: 'udp', ip: '127.0.0.1' }]
    })
    const transport = await router!.createWebRtcTransport({
      webRtcServer,
      appData: { whose: 'mine' }
    })
    const producer = await transport.produce(audio())
    await router!.pipeToRouter({ producerId: producer.id, router: there! })
    const consumer = await (await there!.createDirectTransport()).consume({
      producerId: producer.id,
      rtpCapabilities: there!.rtpCapabilities
    })
    await producer.pause()
    await until(() => consumer.producerPaused)
    producer.close()
    await until(() => consumer.closed)
    assert.equal(transport.appData, { whose: 'mine' })
    assert.ok((await router!.dump()).transportIds.includes(transport.id))
  })
}

test.run()
