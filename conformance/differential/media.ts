// Parameters of media: what a browser would send, and what Routers are made with.

import fc from 'fast-check'
import type { Template } from './program.ts'

type Arbitrary = fc.Arbitrary<Template>

const opus = { kind: 'audio', mimeType: 'audio/opus', clockRate: 48000, channels: 2 }
const vp8 = { kind: 'video', mimeType: 'video/VP8', clockRate: 90000 }
const vp9 = {
  kind: 'video',
  mimeType: 'video/VP9',
  clockRate: 90000,
  parameters: { 'profile-id': 2 }
}
const h264 = {
  kind: 'video',
  mimeType: 'video/H264',
  clockRate: 90000,
  parameters: { 'packetization-mode': 1, 'profile-level-id': '4d0032' }
}

export const ALL_CODECS: Template = [opus, vp8, vp9, h264]

export const mediaCodecs: Arbitrary = fc.oneof(
  { weight: 4, arbitrary: fc.constant(ALL_CODECS) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Template>(
      [opus],
      [{ ...opus, preferredPayloadType: 77 }, vp8],
      [],
      undefined
    )
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Template>(
      [{ ...opus, mimeType: 'audio/chicken' }],
      [{ ...opus, kind: 'chicken' }],
      [{ ...opus, clockRate: 1 }],
      'opus'
    )
  }
)

// Small, because those that mediasoup makes up are large; few enough to clash now and then.
const ssrc = fc.integer({ min: 1001, max: 1999 })
const mid = fc.option(fc.integer({ min: 0, max: 9 }).map(String), { nil: undefined, freq: 3 })
const rtcp = fc.constantFrom<Template>(
  { cname: 'tweety' },
  { cname: 'tweety', reducedSize: false },
  undefined
)

const audioExtensions = [
  { uri: 'urn:ietf:params:rtp-hdrext:sdes:mid', id: 10 },
  { uri: 'urn:ietf:params:rtp-hdrext:ssrc-audio-level', id: 12 }
]
const videoExtensions = [
  { uri: 'urn:ietf:params:rtp-hdrext:sdes:mid', id: 10 },
  { uri: 'urn:3gpp:video-orientation', id: 13 }
]

export const AUDIO_PAYLOAD_TYPE = 111

const audio = fc.record({ mid, ssrc, rtcp, dtx: fc.boolean() }).map(
  ({ mid, ssrc, rtcp, dtx }): Template => ({
    kind: 'audio',
    rtpParameters: {
      mid,
      codecs: [
        {
          mimeType: 'audio/opus',
          payloadType: AUDIO_PAYLOAD_TYPE,
          clockRate: 48000,
          channels: 2,
          parameters: { useinbandfec: 1, usedtx: dtx ? 1 : 0 }
        }
      ],
      headerExtensions: audioExtensions,
      encodings: [{ ssrc, dtx }],
      rtcp
    }
  })
)

const codec = fc.constantFrom('video/VP8', 'video/VP8', 'video/VP9', 'video/H264')
const shape = fc.constantFrom('simple', 'simulcast', 'rids', 'svc')

const video = fc.record({ mid, ssrc, rtcp, codec, shape }).map(
  ({ mid, ssrc, rtcp, codec, shape }): Template => ({
    kind: 'video',
    rtpParameters: {
      mid: shape === 'rids' ? (mid ?? '9') : mid,
      codecs: [
        {
          mimeType: codec,
          payloadType: 112,
          clockRate: 90000,
          parameters: parametersOf(codec),
          rtcpFeedback: [{ type: 'nack' }, { type: 'nack', parameter: 'pli' }]
        },
        { mimeType: 'video/rtx', payloadType: 113, clockRate: 90000, parameters: { apt: 112 } }
      ],
      headerExtensions: videoExtensions,
      encodings: encodingsOf(shape, ssrc),
      rtcp
    }
  })
)

function parametersOf(codec: string): Template {
  if (codec === 'video/H264') return { 'packetization-mode': 1, 'profile-level-id': '4d0032' }
  return codec === 'video/VP9' ? { 'profile-id': 2 } : {}
}

function encodingsOf(shape: string, ssrc: number): Template {
  switch (shape) {
    case 'simulcast':
      return [1, 2, 3].map(layer => ({
        ssrc: ssrc * 10 + layer,
        rtx: { ssrc: ssrc * 10 + layer + 5 },
        scalabilityMode: 'L1T3'
      }))
    case 'rids':
      return ['low', 'mid', 'high'].map(rid => ({
        rid,
        scalabilityMode: 'L1T3',
        maxBitrate: 1_000_000
      }))
    case 'svc':
      return [{ ssrc, scalabilityMode: 'L3T3' }]
    default:
      return [{ ssrc, rtx: { ssrc: ssrc + 5000 } }]
  }
}

export const produceOptions: Arbitrary = fc.oneof(audio, video)

/** What an endpoint can receive. */
export const receivable: Arbitrary = fc.constantFrom<Template>(
  { codecs: [{ ...opus, preferredPayloadType: 100 }], headerExtensions: [] },
  {
    codecs: [
      {
        ...vp8,
        preferredPayloadType: 101,
        rtcpFeedback: [{ type: 'nack' }, { type: 'ccm', parameter: 'fir' }]
      }
    ],
    headerExtensions: []
  },
  { codecs: [], headerExtensions: [] }
)

/** An RTP packet of an audio Producer, in hex. */
export const rtpPacket = fc
  .record({ ssrc, sequence: fc.integer({ min: 0, max: 0xffff }) })
  .map(({ ssrc, sequence }): Template => {
    const packet = Buffer.alloc(16, 0xaa)
    packet.writeUInt8(0x80, 0)
    packet.writeUInt8(AUDIO_PAYLOAD_TYPE, 1)
    packet.writeUInt16BE(sequence, 2)
    packet.writeUInt32BE(sequence * 960, 4)
    packet.writeUInt32BE(ssrc, 8)
    return { bytes: packet.toString('hex') }
  })
