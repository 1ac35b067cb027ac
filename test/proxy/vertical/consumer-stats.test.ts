// getStats() of a Consumer, whose Producer is on another Worker, is what plain mediasoup tells.

import * as localMediasoup from 'mediasoup'
import type * as ms from 'mediasoup/types'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { client } from '../../../client/index.ts'
import type { Tier } from '../../../lib/tier.ts'
import { horizontal, vertical } from '../../../proxy/index.ts'
import { leaf } from '../../../server/index.ts'
import { afterTest, audio, cleanUp, opus, rtp, until, vp8 } from '../../helper.ts'

cleanUp(test)

type Mediasoup = Pick<typeof localMediasoup, 'createWorker'>

const RID = { uri: 'urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id' as const, id: 5 }

// A VP8 payload descriptor, and the first bytes of a key frame (RFC 7741).
const KEY_FRAME = Buffer.from('10000000009d012a10001000', 'hex')

const scattered = (below: Tier) => vertical(below, { policy: 'scatter', maxWorkers: 3, linger: 0 })

const hosts = () => horizontal([leaf(localMediasoup), leaf(localMediasoup)])

const use = async (tier: Tier): Promise<Mediasoup> => {
  const mediasoup = await client(tier)
  afterTest(() => mediasoup.close())
  return mediasoup
}

const trees: Record<string, () => Promise<Mediasoup>> = {
  'a vertical tier': () => use(scattered(leaf(localMediasoup))),
  'Routers that span hosts': () => use(scattered(hosts())),
  'one vertical tier above the other': () => use(scattered(scattered(leaf(localMediasoup))))
}

/** A Producer, and what of it is sent. */
interface Sent {
  options: ms.ProducerOptions
  packets(sequence: number): Buffer[]
}

const simulcast = (encodings: ms.RtpEncodingParameters[]): ms.ProducerOptions => ({
  kind: 'video',
  rtpParameters: {
    codecs: [{ mimeType: 'video/VP8', payloadType: 112, clockRate: 90000 }],
    headerExtensions: [RID],
    encodings
  }
})

const frame = (sequence: number, ssrc: number, rid = '') => {
  const packet = rtp(sequence, { ssrc, payloadType: 112, payload: KEY_FRAME })
  return rid ? withRid(packet, rid) : packet
}

/** RFC 8852, as a header extension of one byte (RFC 8285). */
function withRid(packet: Buffer, rid: string): Buffer {
  const extension = Buffer.from([0xbe, 0xde, 0, 1, RID.id << 4, rid.charCodeAt(0), 0, 0])
  const header = Buffer.from(packet.subarray(0, 12))
  header[0]! |= 0x10
  return Buffer.concat([header, extension, packet.subarray(12)])
}

const kinds: Record<string, Sent> = {
  audio: { options: audio(1111), packets: sequence => [rtp(sequence, { ssrc: 1111 })] },
  'simulcast of which one stream is sent': {
    options: simulcast([{ ssrc: 101 }, { ssrc: 102 }, { ssrc: 103 }]),
    packets: sequence => [frame(sequence, 102)]
  },
  'simulcast by RID': {
    options: simulcast([{ rid: 'l' }, { rid: 'm' }, { rid: 'h' }]),
    packets: sequence => [frame(sequence, 202, 'm'), frame(sequence, 203, 'h')]
  }
}

/** What the Consumer tells when the Producer has got some packets, and lost one. */
async function statsOf({ createWorker }: Mediasoup, { options, packets }: Sent) {
  const worker = await createWorker()
  afterTest(() => worker.close())
  const router = await worker.createRouter({ mediaCodecs: [opus, vp8] })
  const [sending, receiving] = [
    await router.createDirectTransport(),
    await router.createDirectTransport()
  ]
  const producer = await sending.produce(options)
  const { rtpCapabilities } = router
  const consumer = await receiving.consume({ producerId: producer.id, rtpCapabilities })
  assert.equal((await consumer.getStats()).map(typeOf), ['outbound-rtp'])
  let received = 0
  consumer.on('rtp', () => received++)
  let sequence = 0
  await until(() => {
    if (sequence === 5) sequence++
    for (const packet of packets(sequence)) producer.send(packet)
    sequence++
    return received >= 10
  })
  const told = await until(async () => {
    const [outbound, inbound] = await consumer.getStats()
    return inbound?.packetCount === sequence - 1 && ([outbound, inbound] as const)
  })
  return { consumer, producer, told }
}

const typeOf = ({ type }: { type: string }) => type

/** What does not depend on when it is asked, or on how much was sent. */
const lasting = (stat: ms.ConsumerStat | ms.ProducerStat) => {
  const { type, kind, mimeType, rid, nackCount, packetCount, byteCount } = stat
  const keys = Object.entries(stat).flatMap(([key, value]) => (value === undefined ? [] : key))
  return { type, kind, mimeType, rid, nackCount, size: byteCount / packetCount, keys }
}

for (const [name, start] of Object.entries(trees)) {
  for (const [kind, sent] of Object.entries(kinds)) {
    test(`on ${name}, a Consumer of ${kind} tells what it tells on plain mediasoup`, async () => {
      const plain = await statsOf(localMediasoup, sent)
      const { consumer, producer, told } = await statsOf(await start(), sent)
      const [outbound, inbound] = told
      assert.is(outbound!.ssrc, consumer.rtpParameters.encodings![0]!.ssrc)
      assert.is(inbound.ssrc, plain.told[1].ssrc)
      assert.equal(lasting(inbound), lasting(plain.told[1]))
      assert.equal(lasting(outbound!).keys, lasting(plain.told[0]!).keys)
      const originals = await producer.getStats()
      assert.equal(lasting(originals.find(({ ssrc }) => ssrc === inbound.ssrc)!), lasting(inbound))
    })
  }
}

test.run()
