// Somebody on the stage of the webinar: sends audio and simulcast video by plain RTP, small packets
// that say of whom, which layer and which packet they are.

import { createSocket } from 'node:dgram'
import type * as ms from 'mediasoup/types'
import type { Member } from './signalling.ts'
import { rtp } from './rtp.ts'

export const LAYERS = 3

const OPUS = { mimeType: 'audio/opus', payloadType: 111, clockRate: 48000, channels: 2 }
const VP8 = {
  mimeType: 'video/VP8',
  payloadType: 112,
  clockRate: 90000,
  rtcpFeedback: [{ type: 'nack', parameter: 'pli' }]
}
// A VP8 payload descriptor, and the first bytes of a key frame (RFC 7741).
const KEY_FRAME = Buffer.from('10000000009d012a10001000', 'hex')
// So many intervals of media are between two reports.
const REPORT_EVERY = 3
const NTP_EPOCH_SECONDS = 2_208_988_800

interface Stream {
  ssrc: number
  payloadType: number
  clockRate: number
  /** What is in front of the mark. */
  head: Buffer
  mark: string
  sent: number
  bytes: number
}

/** At the end of each packet. */
const MARK = /([\w-]+):(\w):(\d+)$/

export interface Mark {
  seat: string
  /** That of a video, or `a`. */
  layer: string
  serial: number
}

export function markOf(packet: Buffer): Mark | undefined {
  const [, seat, layer, serial] = MARK.exec(packet.toString('latin1', packet.length - 32)) ?? []
  return seat === undefined ? undefined : { seat, layer: layer!, serial: Number(serial) }
}

/** @param everyMs how often each stream has a packet */
export async function perform({ ask }: Member, name: string, everyMs: number) {
  const { id: transportId, ip, port } = await ask('createPlainTransport')
  const socket = createSocket('udp4')
  const send = (packet: Buffer) => socket.send(packet, Number(port), String(ip))
  const streams: Stream[] = [
    { ssrc: 1000, ...OPUS, head: Buffer.alloc(8), mark: `${name}:a`, sent: 0, bytes: 0 },
    ...Array.from({ length: LAYERS }, (_, layer) => ({
      ssrc: 2000 + layer,
      ...VP8,
      head: KEY_FRAME,
      mark: `${name}:${layer}`,
      sent: 0,
      bytes: 0
    }))
  ]
  const [, ...layers] = streams
  await produce('audio', [OPUS], [{ ssrc: 1000 }])
  await produce(
    'video',
    [VP8],
    layers.map(({ ssrc }) => ({ ssrc, scalabilityMode: 'L1T1' }))
  )
  const media = setInterval(() => streams.forEach(stream => send(packetOf(stream))), everyMs)
  // Without these no Consumer can go from one layer to another.
  const reports = setInterval(
    () => streams.forEach(stream => send(reportOf(stream))),
    REPORT_EVERY * everyMs
  )
  return function stop() {
    clearInterval(media)
    clearInterval(reports)
    socket.close()
  }

  function produce(
    kind: ms.MediaKind,
    codecs: ms.RtpCodecParameters[],
    encodings: ms.RtpEncodingParameters[]
  ) {
    return ask('produce', { transportId, kind, rtpParameters: { codecs, encodings } })
  }
}

const timestampOf = ({ clockRate }: Stream) => Math.floor((Date.now() * clockRate) / 1_000) >>> 0

function packetOf(stream: Stream): Buffer {
  const payload = Buffer.concat([stream.head, Buffer.from(`${stream.mark}:${stream.sent}`)])
  const packet = rtp(stream.sent++, { ...stream, payload })
  stream.bytes += payload.length
  packet.writeUInt32BE(timestampOf(stream), 4)
  return packet
}

/** A sender report, RFC 3550, 6.4.1. */
function reportOf(stream: Stream): Buffer {
  const { ssrc, sent, bytes } = stream
  const report = Buffer.alloc(28)
  const seconds = Date.now() / 1_000 + NTP_EPOCH_SECONDS
  report.set([0x80, 200, 0, 6])
  report.writeUInt32BE(ssrc, 4)
  report.writeUInt32BE(Math.floor(seconds), 8)
  report.writeUInt32BE(Math.floor((seconds % 1) * 2 ** 32), 12)
  report.writeUInt32BE(timestampOf(stream), 16)
  report.writeUInt32BE(sent, 20)
  report.writeUInt32BE(bytes, 24)
  return report
}
