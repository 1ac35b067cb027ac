// A Worker that spans several says of its objects what one Worker would, also of those that are on
// another.

import { once } from 'node:events'
import * as localMediasoup from 'mediasoup'
import type * as ms from 'mediasoup/types'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { client } from '../../../client/index.ts'
import { vertical } from '../../../proxy/index.ts'
import { leaf } from '../../../server/index.ts'
import { afterTest, audio, cleanUp, opus, rejection, until, vp8 } from '../../helper.ts'

cleanUp(test)

/** Two transports of a Router, on two Workers below. */
async function stage(linger?: number) {
  const mediasoup = await client(
    vertical(leaf(localMediasoup), { policy: 'scatter', maxWorkers: 2, linger })
  )
  afterTest(() => mediasoup.close())
  const worker = await mediasoup.createWorker()
  const router = await worker.createRouter({ mediaCodecs: [opus, vp8] })
  const here = await router.createDirectTransport()
  const there = await router.createDirectTransport()
  return { mediasoup, worker, router, here, there }
}

const video: ms.ProducerOptions = {
  kind: 'video',
  rtpParameters: {
    codecs: [{ mimeType: 'video/VP8', payloadType: 112, clockRate: 90000 }],
    encodings: [{ ssrc: 2222 }]
  }
}

test('an id that a Producer or a DataProducer of the Worker has is refused, and leaves no trace', async () => {
  const { worker, here, there } = await stage()
  const { id } = await here.produce({ ...audio(), id: 'p1' })
  assert.is(id, 'p1')
  const before = await there.dump()
  for (const again of [() => there.produce({ ...audio(), id }), () => there.produceData({ id })]) {
    assert.is(
      (await rejection(again())).message,
      `Channel request handler with ID ${id} already exists`
    )
  }
  assert.equal((await there.dump()).recvRtpHeaderExtensions, before.recvRtpHeaderExtensions)
  const other = await (await worker.createRouter({ mediaCodecs: [opus] })).createDirectTransport()
  assert.match((await rejection(other.produce({ ...audio(), id }))).message, 'already exists')
  assert.is(
    (await rejection(there.produce({ ...audio(), kind: 'chicken' as ms.MediaKind, id }))).message,
    'invalid kind "chicken"'
  )
})

test('of those that want the same id at once, the first one gets it', async () => {
  const { here, there } = await stage()
  const id = 'p1'
  const wants = [
    () => here.produce({ ...audio(), id }),
    () => there.produce({ ...audio(), id }),
    () => there.produceData({ id }),
    () => here.produce({ ...audio(), id })
  ]
  const [first, ...others] = await Promise.allSettled(wants.map(want => want()))
  assert.is(first!.status, 'fulfilled')
  for (const other of others)
    assert.match(String((other as PromiseRejectedResult).reason), 'already exists')
  ;(first as PromiseFulfilledResult<ms.Producer>).value.close()
  assert.is((await there.produce({ ...audio(), id })).id, id)
})

test('an id that a Producer of another Worker has is refused when one is piped there', async () => {
  const { mediasoup, router, here } = await stage()
  const far = await (await mediasoup.createWorker()).createRouter({ mediaCodecs: [opus] })
  await far.createDirectTransport()
  const { id: producerId } = await (await far.createDirectTransport()).produce({
    ...audio(),
    id: 'p1'
  })
  await here.produce({ ...audio(), id: producerId })
  assert.is(
    (await rejection(router.pipeToRouter({ producerId, router: far }))).message,
    `Channel request handler with ID ${producerId} already exists`
  )
})

test('between its Routers, a Producer is piped under another id, with its appData, or refused', async () => {
  const { worker, router, here, there } = await stage()
  const other = await worker.createRouter({ mediaCodecs: [opus] })
  const producers = await Promise.all(
    [here, there].map((transport, i) =>
      transport.produce({ ...audio(100 + i), appData: { of: i } })
    )
  )
  for (const { id: producerId, appData } of producers) {
    assert.is(
      (await rejection(router.pipeToRouter({ producerId, router: other }))).message,
      `Channel request handler with ID ${producerId} already exists`
    )
    const { pipeProducer } = await router.pipeToRouter({ producerId, router: other, keepId: false })
    assert.is(pipeProducer!.appData, appData)
  }
  const { id: producerId } = await there.produce(video)
  assert.is(
    (await rejection(router.pipeToRouter({ producerId, router: other, keepId: false }))).name,
    'UnsupportedError'
  )
  assert.is((await other.dump()).transportIds.length, 1)
})

test('updateMediaCodecs changes nothing for Producers that there are', async () => {
  const { router, here, there } = await stage()
  const producer = await here.produce(video)
  const { rtpCapabilities } = router
  const { rtpParameters: expected } = await here.consume({
    producerId: producer.id,
    rtpCapabilities
  })
  router.updateMediaCodecs([opus])
  const { rtpParameters } = await there.consume({ producerId: producer.id, rtpCapabilities })
  assert.equal(rtpParameters.codecs, expected.codecs)
  assert.is((await rejection(there.produce(video))).name, 'UnsupportedError')
})

test('a Producer that an RTP observer does not have can be removed, and one that it has twice', async () => {
  const { router, there } = await stage(0)
  // On the other Worker.
  const observer = await router.createAudioLevelObserver()
  const { id: producerId } = await there.produce(audio())
  let removed = 0
  observer.observer.on('removeproducer', ({ id }) => {
    if (id === producerId) removed++
  })
  await observer.removeProducer({ producerId })
  await observer.addProducer({ producerId })
  await observer.addProducer({ producerId })
  await observer.removeProducer({ producerId })
  assert.is(removed, 2)
})

test('a closed RTP observer gives its pipes back', async () => {
  const { mediasoup, router, there } = await stage(0)
  const pipes = async () => (await mediasoup.connection.getLoad()).consumers
  const observer = await router.createAudioLevelObserver()
  const { id: producerId } = await there.produce(audio())
  await observer.addProducer({ producerId })
  await until(async () => (await pipes()) === 1)
  observer.close()
  await until(async () => (await pipes()) === 0)
})

test('what is closed answers as mediasoup does', async () => {
  const { router, here, there } = await stage()
  const producer = await here.produce(audio())
  const { rtpCapabilities } = router
  there.close()
  const closed = await rejection(there.consume({ producerId: producer.id, rtpCapabilities }))
  assert.match(closed.message, `Channel request handler with ID ${there.id} not found`)
  const unable = await rejection(
    there.consume({ producerId: producer.id, rtpCapabilities: { codecs: [] } })
  )
  assert.is(unable.name, 'UnsupportedError')
  router.close()
  assert.is((await rejection(router.dump())).name, 'NotFoundError')
})

test('a WebRtcServer that is closed, or of another Worker, is refused, wherever the transport would be', async () => {
  const { mediasoup, worker, router } = await stage()
  const listenInfos: ms.TransportListenInfo[] = [{ protocol: 'udp', ip: '127.0.0.1' }]
  const closed = await worker.createWebRtcServer({ listenInfos })
  const foreign = await (await mediasoup.createWorker()).createWebRtcServer({ listenInfos })
  closed.close()
  for (const webRtcServer of [closed, closed, foreign, foreign]) {
    assert.match(
      (await rejection(router.createWebRtcTransport({ webRtcServer }))).message,
      'wrong webRtcServerId'
    )
  }
  assert.is((await router.dump()).transportIds.length, 2)
})

test('after its death, what was on it says that the Worker is gone', async () => {
  const { mediasoup, worker, router, here, there } = await stage()
  const server = await worker.createWebRtcServer({
    listenInfos: [{ protocol: 'udp', ip: '127.0.0.1' }]
  })
  const died = once(worker, 'died')
  for (const transport of [here, there])
    process.kill((await mediasoup.connection.locate(transport)).pid, 'SIGKILL')
  await died
  for (const object of [worker, router, here, server])
    assert.is((await rejection(object.dump())).name, 'WorkerClosedError')
})

test.run()
