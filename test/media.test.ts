// Real RTP over UDP, through the media plane of a leaf in another process.

import { once } from 'node:events'
import { type Socket, createSocket } from 'node:dgram'
import type * as ms from 'mediasoup/types'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { afterTest, audio, cleanUp, connectLeaf, opus, rtp, until, vp8 } from './helper.ts'

cleanUp(test)

const PACKETS = 100
const listenInfo = { protocol: 'udp', ip: '127.0.0.1' } as const

const PSFB = 206 // RFC 4585, 6.1
const PLI = 1

/** A Picture Loss Indication, RFC 4585, 6.3.1. */
function pli(ssrc: number): Buffer {
  const packet = Buffer.alloc(12)
  packet.set([0x80 | PLI, PSFB, 0, 2])
  packet.writeUInt32BE(1, 4)
  packet.writeUInt32BE(ssrc, 8)
  return packet
}

// A VP8 payload descriptor, and the first bytes of a key frame (RFC 7741).
const keyFrame = Buffer.from('10000000009d012a10001000', 'hex')

const video = (ssrc: number): ms.ProducerOptions => ({
  kind: 'video',
  rtpParameters: {
    codecs: [
      {
        mimeType: 'video/VP8',
        payloadType: 112,
        clockRate: 90000,
        rtcpFeedback: [{ type: 'nack', parameter: 'pli' }]
      }
    ],
    encodings: [{ ssrc }]
  }
})

async function openSocket(): Promise<Socket> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  afterTest(() => socket.close())
  await once(socket, 'listening')
  return socket
}

test('RTP that is sent into a PlainTransport of a leaf comes out of another one', async () => {
  const { mediasoup } = await connectLeaf()
  const worker = await mediasoup.createWorker()
  const router = await worker.createRouter({ mediaCodecs: [opus] })
  const [sender, receiver] = [await openSocket(), await openSocket()]

  const inbound = await router.createPlainTransport({ listenInfo, comedia: true })
  const producer = await inbound.produce(audio())
  const outbound = await router.createPlainTransport({ listenInfo })
  await outbound.connect({ ip: '127.0.0.1', port: receiver.address().port })
  const consumer = await outbound.consume({
    producerId: producer.id,
    rtpCapabilities: router.rtpCapabilities
  })

  const received = new Set<string>()
  const { payloadType } = consumer.rtpParameters.codecs[0]!
  receiver.on('message', packet => {
    if ((packet[1]! & 0x7f) === payloadType)
      received.add(packet.subarray(packet.length - 8).toString())
  })
  const learned = new Promise(resolve => inbound.once('tuple', resolve))
  for (let i = 0; i < PACKETS; i++) {
    sender.send(
      rtp(i, { payload: Buffer.from(`packet${String(i).padStart(2, '0')}`) }),
      inbound.tuple.localPort,
      '127.0.0.1'
    )
    if (i % 10 === 9) await until(() => received.size >= i - 9)
  }

  await until(() => received.size === PACKETS)
  await learned
  assert.is(
    inbound.tuple.remotePort,
    sender.address().port,
    'the getter knows where the RTP came from'
  )
  const [stats] = await producer.getStats()
  assert.is(stats?.packetCount, PACKETS)
  await until(() => producer.score.length > 0)
})

test('RTP passes through a DirectTransport in binary frames, as it is and in order', async () => {
  const { mediasoup } = await connectLeaf()
  const worker = await mediasoup.createWorker()
  const router = await worker.createRouter({ mediaCodecs: [opus] })
  const transport = await router.createDirectTransport()
  const producer = await transport.produce(audio())
  const consumer = await transport.consume({
    producerId: producer.id,
    rtpCapabilities: router.rtpCapabilities
  })
  const received: Buffer[] = []
  consumer.on('rtp', packet => received.push(packet))

  for (let i = 0; i < PACKETS; i++) producer.send(rtp(i, { payload: Buffer.from(`packet${i}`) }))

  await until(() => received.length === PACKETS)
  assert.equal(
    received.map(packet => packet.subarray(packet.indexOf('packet')).toString()),
    Array.from({ length: PACKETS }, (_, i) => `packet${i}`)
  )
})

test('RTCP passes through a DirectTransport both ways: a PLI of the receiver reaches the sender', async () => {
  const { mediasoup } = await connectLeaf()
  const worker = await mediasoup.createWorker()
  const router = await worker.createRouter({ mediaCodecs: [vp8] })
  const transport = await router.createDirectTransport()
  const producer = await transport.produce(video(4242))
  const consumer = await transport.consume({
    producerId: producer.id,
    rtpCapabilities: router.rtpCapabilities
  })
  const received: Buffer[] = []
  transport.on('rtcp', packet => received.push(packet))
  let arrived = 0
  consumer.on('rtp', () => arrived++)

  for (let i = 0; arrived === 0; i++) {
    producer.send(rtp(i, { ssrc: 4242, payloadType: 112, payload: keyFrame }))
    await until(() => arrived > 0 || i < 20)
  }
  received.length = 0
  transport.sendRtcp(pli(consumer.rtpParameters.encodings![0]!.ssrc!))

  await until(() => received.some(packet => packet[1] === PSFB && packet.readUInt32BE(8) === 4242))
})

test('a pipe between the Routers of two Workers of a leaf carries RTP', async () => {
  const { mediasoup } = await connectLeaf()
  const [one, other] = await Promise.all(
    [1, 2].map(async () => (await mediasoup.createWorker()).createRouter({ mediaCodecs: [opus] }))
  )
  const source = await one!.createDirectTransport()
  const sink = await other!.createDirectTransport()
  const producer = await source.produce(audio())
  const { pipeProducer } = await one!.pipeToRouter({ producerId: producer.id, router: other! })
  const consumer = await sink.consume({
    producerId: pipeProducer!.id,
    rtpCapabilities: other!.rtpCapabilities
  })
  let received = 0
  consumer.on('rtp', () => received++)

  for (let i = 0; received < PACKETS / 2; i++) {
    producer.send(rtp(i))
    if (i % 10 === 9) await until(() => received > i - 20)
  }

  producer.close()
  await until(() => consumer.closed)
  assert.ok(pipeProducer!.closed)
})

test.run()
