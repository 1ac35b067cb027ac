// What an application does with mediasoup; the same code for every tier.

import type * as ms from 'mediasoup/types'

export type Mediasoup = typeof import('mediasoup')

const LISTEN_INFOS: ms.TransportListenInfo[] = [{ protocol: 'udp', ip: '127.0.0.1' }]

const MEDIA_CODECS: ms.RouterRtpCodecCapability[] = [
  {
    kind: 'audio',
    mimeType: 'audio/opus',
    clockRate: 48000,
    channels: 2,
    preferredPayloadType: 100
  },
  { kind: 'video', mimeType: 'video/VP8', clockRate: 90000, preferredPayloadType: 101 }
]

export const DTLS_PARAMETERS: ms.DtlsParameters = {
  role: 'client',
  fingerprints: [
    {
      algorithm: 'sha-256',
      value:
        '82:5A:68:3D:36:C3:0A:DE:AF:E7:32:43:D2:88:83:57:AC:2D:65:E5:80:C4:B6:FB:AF:1A:A0:21:9F:6D:0C:AD'
    }
  ]
}

const CNAME = { cname: 'a-participant' }

/** Opus, as a browser sends it. */
export const audio = (ssrc = 1111): ms.ProducerOptions => ({
  kind: 'audio',
  rtpParameters: {
    mid: '0',
    codecs: [
      {
        mimeType: 'audio/opus',
        payloadType: 111,
        clockRate: 48000,
        channels: 2,
        parameters: { useinbandfec: 1, usedtx: 1 }
      }
    ],
    headerExtensions: [
      { uri: 'urn:ietf:params:rtp-hdrext:sdes:mid', id: 4 },
      { uri: 'urn:ietf:params:rtp-hdrext:ssrc-audio-level', id: 1 }
    ],
    encodings: [{ ssrc }],
    rtcp: CNAME
  }
})

/** Simulcast of VP8, as a browser sends it. */
export const video = (ssrc = 2222): ms.ProducerOptions => ({
  kind: 'video',
  rtpParameters: {
    mid: '1',
    codecs: [
      {
        mimeType: 'video/VP8',
        payloadType: 96,
        clockRate: 90000,
        rtcpFeedback: [{ type: 'nack' }, { type: 'nack', parameter: 'pli' }, { type: 'goog-remb' }]
      },
      { mimeType: 'video/rtx', payloadType: 97, clockRate: 90000, parameters: { apt: 96 } }
    ],
    headerExtensions: [
      { uri: 'urn:ietf:params:rtp-hdrext:sdes:mid', id: 4 },
      { uri: 'http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time', id: 2 }
    ],
    encodings: [0, 2, 4].map(n => ({
      ssrc: ssrc + n,
      rtx: { ssrc: ssrc + n + 1 },
      scalabilityMode: 'L1T3'
    })),
    rtcp: CNAME
  }
})

export interface Room {
  worker: ms.Worker
  router: ms.Router
  rtpCapabilities: ms.RtpCapabilities
}

export async function openRoom(mediasoup: Mediasoup): Promise<Room> {
  const worker = await mediasoup.createWorker({ logLevel: 'none' })
  const router = await worker.createRouter({ mediaCodecs: MEDIA_CODECS })
  return { worker, router, rtpCapabilities: router.rtpCapabilities }
}

export const createTransport = ({ router }: Room) =>
  router.createWebRtcTransport({ listenInfos: LISTEN_INFOS })

/** One who sends, one who receives, and what is received. */
export async function openStage(mediasoup: Mediasoup) {
  const room = await openRoom(mediasoup)
  const sending = await createTransport(room)
  const receiving = await createTransport(room)
  const producers = [await sending.produce(audio()), await sending.produce(video())] as const
  const consume = (producer: ms.Producer) =>
    receiving.consume({ producerId: producer.id, rtpCapabilities: room.rtpCapabilities })
  return {
    ...room,
    producers,
    consume,
    consumer: await consume(producers[1]),
    direct: await room.router.createDirectTransport()
  }
}

const OTHERS = 8

export interface Participant {
  sending: ms.Transport
  receiving: ms.Transport
  consumers: ms.Consumer[]
}

/** Participants who each hear and see the eight before them. */
export function participants(room: Room) {
  const producers: ms.Producer[] = []
  let count = 0

  return async function join(): Promise<Participant> {
    const ssrc = 10 * ++count
    const [sending, receiving] = await Promise.all([createTransport(room), createTransport(room)])
    await Promise.all([
      sending.connect({ dtlsParameters: DTLS_PARAMETERS }),
      receiving.connect({ dtlsParameters: DTLS_PARAMETERS })
    ])
    const others = producers.slice(-2 * OTHERS)
    producers.push(
      ...(await Promise.all([sending.produce(audio(ssrc)), sending.produce(video(ssrc + 1))]))
    )
    const consumers = await Promise.all(
      others.map(({ id }) =>
        receiving.consume({ producerId: id, rtpCapabilities: room.rtpCapabilities, paused: true })
      )
    )
    return { sending, receiving, consumers }
  }
}

/** An RTP packet of the audio Producer. */
export function rtpPacket(sequence: number, size: number, ssrc = 1111): Buffer {
  const packet = Buffer.alloc(size)
  packet[0] = 0x80
  packet[1] = 111
  packet.writeUInt16BE(sequence & 0xffff, 2)
  packet.writeUInt32BE((sequence * 960) >>> 0, 4)
  packet.writeUInt32BE(ssrc, 8)
  return packet
}
