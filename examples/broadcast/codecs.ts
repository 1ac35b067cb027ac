// Codecs, and the payload types of those who send and watch. mediasoup sends with the payload types
// of the Router, and a viewer wants those of its offer. So a Router is made with the payload types
// of an offer, and serves all whose offers have the same.

import { generateRouterRtpCapabilities } from 'mediasoup/ortc'
import type * as ms from 'mediasoup/types'
import { getExtendedRtpCapabilities } from 'mediasoup-client/ortc'
import type { ExtendedRtpCapabilities, RtpCapabilities } from 'mediasoup-client/types'

const OPUS = { kind: 'audio', mimeType: 'audio/opus', clockRate: 48000, channels: 2 } as const
const VP8 = { kind: 'video', mimeType: 'video/VP8', clockRate: 90000 } as const
const H264 = {
  kind: 'video',
  mimeType: 'video/H264',
  clockRate: 90000,
  parameters: {
    'packetization-mode': 1,
    'profile-level-id': '42e01f',
    'level-asymmetry-allowed': 1
  }
} as const

// What publishers use. Any other extension would reach the viewers, with the ids of mediasoup,
// which in their offers are those of other extensions.
const EXTENSIONS = [
  'urn:ietf:params:rtp-hdrext:sdes:mid',
  'urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id',
  'urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id',
  'http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time',
  'http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01'
]

// Those that mediasoup gives to codecs by itself.
const DYNAMIC = Array.from({ length: 32 }, (_, i) => 96 + i)

export type Codec = ExtendedRtpCapabilities['codecs'][number]

/** What a publisher may offer, in whichever order it prefers. */
export const supported = generateRouterRtpCapabilities([OPUS, VP8, H264])

/** One codec of each kind that both sides have: `local` is the offer's side. */
export function agree(
  offered: RtpCapabilities,
  { codecs, headerExtensions }: ms.RtpCapabilities
): ExtendedRtpCapabilities {
  // What matches is changed to be the same, for example in its H264 profile.
  const [one, other] = structuredClone([offered, { codecs, headerExtensions } as RtpCapabilities])
  const both = getExtendedRtpCapabilities(one!, other!, true)
  const isFirst = ({ kind }: Codec, i: number) =>
    both.codecs.findIndex(codec => codec.kind === kind) === i
  return {
    codecs: both.codecs.filter(isFirst),
    headerExtensions: both.headerExtensions.filter(({ uri }) => EXTENSIONS.includes(uri))
  }
}

/** Whether a Router sends these codecs with the payload types of the offer. */
export function fits(agreed: Codec[], offered: RtpCapabilities, router: ms.Router): boolean {
  const { codecs } = agree(offered, router.rtpCapabilities)
  const isSame = (codec: Codec) =>
    codec.localPayloadType === codec.remotePayloadType &&
    [undefined, codec.remoteRtxPayloadType].includes(rtxOf(codec))
  return codecs.length === agreed.length && codecs.every(isSame)
}

/** The codecs of a Router that has the payload types of the offer. */
export function mediaCodecs(agreed: Codec[]): ms.RouterRtpCodecCapability[] {
  const [audio, video] = (['audio', 'video'] as const).map(kind =>
    agreed.filter(codec => codec.kind === kind).map(mediaCodec)
  )
  return [...audio!, ...placeholders(agreed), ...video!]
}

const mediaCodec = (codec: Codec) =>
  ({
    kind: codec.kind,
    mimeType: codec.mimeType,
    clockRate: codec.clockRate,
    channels: codec.channels,
    parameters: codec.remoteParameters,
    preferredPayloadType: codec.localPayloadType
  }) as ms.RouterRtpCodecCapability

/**
 * mediasoup gives RTX a payload type that is free. For it to be that of the offer, codecs that
 * nobody uses take all others.
 */
function placeholders(agreed: Codec[]): ms.RouterRtpCodecCapability[] {
  if (!agreed.some(rtxOf)) return []
  const wanted = agreed.flatMap(codec => [codec.localPayloadType, rtxOf(codec)])
  return DYNAMIC.filter(number => !wanted.includes(number)).map(preferredPayloadType => ({
    ...OPUS,
    preferredPayloadType
  }))
}

/** The payload type of RTX in the offer, if a Router can have it. */
export const rtxOf = ({ localRtxPayloadType }: Codec) =>
  DYNAMIC.find(number => number === localRtxPayloadType)
