// What is shipped is what is tested: the bundles in dist/ do what plain mediasoup does. In
// conformance.test.ts they replay its tests.

import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import * as mediasoup from 'mediasoup'
import type * as ms from 'mediasoup/types'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type * as clients from '../../client/index.ts'
import { differential } from '../../conformance/differential/index.ts'
import type * as all from '../../index.ts'
import { afterTest, audio, cleanUp, opus } from '../helper.ts'
import { runs as programs, seed } from './agree.ts'

delete process.env.NODE_V8_COVERAGE

cleanUp(test)

const load = (file: string) => import(pathToFileURL(resolve('dist', file)).href) as Promise<unknown>

const { connect, client } = (await load('client.js')) as typeof clients
const { leaf, serve, vertical } = (await load('index.js')) as typeof all

// The sources run all of them.
const runs = Math.ceil(programs / 3)

const LOCAL: ms.TransportListenInfo = { protocol: 'udp', ip: '127.0.0.1' }

/** The names of the classes of an object of each kind. */
async function namesOn({
  createWorker
}: Pick<typeof mediasoup, 'createWorker'> | clients.RemoteMediasoup) {
  const worker = await createWorker()
  afterTest(() => worker.close())
  const router = await worker.createRouter({ mediaCodecs: [opus] })
  const transport = await router.createDirectTransport()
  const producer = await transport.produce(audio())
  const dataProducer = await transport.produceData()
  const objects: object[] = [
    worker,
    router,
    transport,
    producer,
    dataProducer,
    await worker.createWebRtcServer({ listenInfos: [LOCAL] }),
    await router.createWebRtcTransport({ listenInfos: [LOCAL] }),
    await router.createPlainTransport({ listenInfo: LOCAL }),
    await router.createPipeTransport({ listenInfo: LOCAL }),
    await router.createAudioLevelObserver(),
    await router.createActiveSpeakerObserver(),
    await transport.consume({ producerId: producer.id, rtpCapabilities: router.rtpCapabilities }),
    await transport.consumeData({ dataProducerId: dataProducer.id })
  ]
  return objects.map(({ constructor }) => constructor.name)
}

test('the classes of objects have the names that mediasoup gives them', async () => {
  const ours = await client(leaf(mediasoup))
  afterTest(() => ours.close())
  assert.equal(await namesOn(ours), await namesOn(mediasoup))
})

for (const [name, tier] of [
  ['a leaf', leaf(mediasoup)],
  ['a vertical tier', vertical(leaf(mediasoup))]
] as const) {
  test(`in ${runs} random programs, ${name} does what plain mediasoup does`, async () => {
    const server = await serve(tier)
    afterTest(() => server.close())
    const { agrees, text } = await differential({ tier: server.url, runs, seed, connect })
    assert.ok(agrees, text)
  })
}

test.run()
