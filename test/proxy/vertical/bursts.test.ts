// Bursts that cross from one Worker of a host to another, within one Router: as within one Worker,
// all of it arrives.

import * as localMediasoup from 'mediasoup'
import type * as ms from 'mediasoup/types'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { client } from '../../../client/index.ts'
import { vertical } from '../../../proxy/index.ts'
import { leaf } from '../../../server/index.ts'
import { afterTest, cleanUp, rtp, until, vp8 } from '../../helper.ts'

cleanUp(test)

const MEBIBYTE = 1024 * 1024

/** Two transports of one Router, on two Workers. */
async function stage(options?: ms.DirectTransportOptions) {
  const mediasoup = await client(vertical(leaf(localMediasoup), { policy: 'scatter' }))
  afterTest(() => mediasoup.close())
  const worker = await mediasoup.createWorker()
  const router = await worker.createRouter({ mediaCodecs: [vp8] })
  const near = await router.createDirectTransport(options)
  const far = await router.createDirectTransport(options)
  const places = await Promise.all([near, far].map(each => mediasoup.connection.locate(each)))
  assert.is.not(places[0]!.pid, places[1]!.pid)
  return { router, near, far }
}

/** Sends messages of these sizes, and waits until as many are there. */
async function exchange(
  { near, far }: { near: ms.DirectTransport; far: ms.DirectTransport },
  sizes: number[]
) {
  const producer = await near.produceData()
  const consumer = await far.consumeData({ dataProducerId: producer.id })
  const got: Buffer[] = []
  consumer.on('message', message => got.push(message))
  sizes.forEach((size, i) => {
    const message = Buffer.alloc(size)
    message.writeUInt32BE(i)
    producer.send(message)
  })
  await until(() => got.length === sizes.length)
  assert.equal(
    got.map(message => [message.readUInt32BE(), message.length]),
    sizes.map((size, i) => [i, size])
  )
}

test('a burst of messages arrives, in order', async () => {
  await exchange(
    await stage(),
    Array.from({ length: 300 }, () => 60_000)
  )
})

test('a message is as large as the transports at both ends allow', async () => {
  const size = 4 * MEBIBYTE
  await exchange(await stage({ maxSendMessageSize: size, maxReceiveMessageSize: size }), [
    262_144,
    262_145,
    MEBIBYTE,
    size
  ])
})

test('the packets of large key frames arrive', async () => {
  const { router, near, far } = await stage()
  const producer = await near.produce({
    kind: 'video',
    rtpParameters: {
      codecs: [{ mimeType: 'video/VP8', payloadType: 101, clockRate: 90000 }],
      encodings: [{ ssrc: 22222222 }]
    }
  })
  const { rtpCapabilities } = router
  const consumer = await far.consume({ producerId: producer.id, rtpCapabilities })
  const got = new Set<number>()
  let small = 0
  consumer.on('rtp', packet => {
    if (packet.length > 1_000) got.add(packet.readUInt16BE(2))
    else small++
  })
  // RFC 7741: the start of a partition, and of a key frame.
  const frame = (bytes: number) => Buffer.concat([Buffer.from([0x10, 0x00]), Buffer.alloc(bytes)])
  let sequence = 0
  const send = (bytes: number) =>
    producer.send(rtp(sequence++, { ssrc: 22222222, payloadType: 101, payload: frame(bytes) }))
  await until(() => {
    send(100)
    return small > 0
  })
  for (let i = 0; i < 1_000; i++) send(1_150)
  // What comes after tells that something is missing.
  await until(() => {
    send(100)
    return got.size === 1_000
  })
})

test.run()
