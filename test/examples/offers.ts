// SDP offers as a client writes them that is no browser, with payload types of its own.

export interface OfferOptions {
  direction?: string
  setup?: string
  kinds?: string[]
  video?: 'VP8' | 'H264' | 'theora'
  /** Of the session: other credentials are another ICE session. */
  ufrag?: string
  group?: string
}

export const PAYLOAD_TYPES = { audio: 109, video: 120, rtx: 124 }

const FINGERPRINT =
  'D2:FA:0E:C3:22:59:5E:14:95:69:92:3D:13:B4:84:24:2C:C2:A2:C0:3E:FD:34:8E:5E:EA:6F:AF:52:CE:E6:0F'

export function offerOf(options: OfferOptions = {}): string {
  const { setup = 'actpass', kinds = ['audio', 'video'], ufrag = 'aaaa', group } = options
  return lines(
    'v=0',
    'o=- 1 1 IN IP4 127.0.0.1',
    's=-',
    't=0 0',
    `a=group:BUNDLE ${group ?? kinds.map((_, i) => i).join(' ')}`,
    `a=ice-ufrag:${ufrag}`,
    'a=ice-pwd:0123456789012345678901',
    `a=fingerprint:sha-256 ${FINGERPRINT}`,
    `a=setup:${setup}`,
    ...kinds.flatMap((kind, i) => section(kind, i, options))
  )
}

function section(
  kind: string,
  mid: number,
  { direction = 'sendonly', video = 'VP8' }: OfferOptions
) {
  const { audio, video: vp8, rtx } = PAYLOAD_TYPES
  const numbers = kind === 'audio' ? `${audio}` : `${vp8} ${rtx}`
  const audioCodec = [`a=rtpmap:${audio} opus/48000/2`]
  const videoCodec = [
    `a=rtpmap:${vp8} ${video}/90000`,
    `a=fmtp:${vp8} packetization-mode=1;profile-level-id=42e01f;level-asymmetry-allowed=1`,
    `a=rtcp-fb:${vp8} nack`,
    `a=rtcp-fb:${vp8} nack pli`,
    `a=rtcp-fb:${vp8} transport-cc`,
    `a=rtpmap:${rtx} rtx/90000`,
    `a=fmtp:${rtx} apt=${vp8}`
  ]
  return [
    `m=${kind} 9 UDP/TLS/RTP/SAVPF ${numbers}`,
    'c=IN IP4 0.0.0.0',
    `a=mid:${mid}`,
    `a=${direction}`,
    'a=rtcp-mux',
    ...(kind === 'audio' ? audioCodec : videoCodec)
  ]
}

/** What a client sends to add candidates, or with other credentials to restart ICE (RFC 8840). */
export const fragmentOf = (ufrag: string) =>
  lines(
    'a=group:BUNDLE 0 1',
    'm=audio 9 UDP/TLS/RTP/SAVPF 109',
    'a=mid:0',
    `a=ice-ufrag:${ufrag}`,
    'a=ice-pwd:0123456789012345678901',
    'a=candidate:1 1 udp 2122260223 192.0.2.1 61764 typ host',
    'a=end-of-candidates'
  )

const lines = (...all: string[]) => all.map(line => `${line}\r\n`).join('')
