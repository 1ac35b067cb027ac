// RTP from a Producer to a Consumer, each on a PlainTransport of its own.

import type * as ms from 'mediasoup/types'
import type { RemoteMediasoup } from '../client/index.ts'
import type { Media } from './media.ts'

const LISTEN: ms.TransportListenInfo = { protocol: 'udp', ip: '127.0.0.1' }
// That many packets in a row are not lost to a machine that is busy: a pipe or a transport is gone.
const STALLED_PACKETS = 150

export interface FlowEvents {
  onBroken(why: string): void
}

export class Flow {
  readonly up: ms.PlainTransport
  readonly down: ms.PlainTransport
  readonly producer: ms.Producer
  readonly consumer: ms.Consumer
  readonly #media: Media
  readonly #source: { stop(): void }
  readonly #events: FlowEvents
  arrived = 0
  #missed = 0
  #isOver = false

  static async start(router: ms.Router, media: Media, ssrc: number, events: FlowEvents): Promise<Flow> {
    const made: ms.PlainTransport[] = []
    try {
      for (const comedia of [true, false]) made.push(await router.createPlainTransport({ listenInfo: LISTEN, rtcpMux: true, comedia }))
      const [up, down] = made as [ms.PlainTransport, ms.PlainTransport]
      const producer = await up.produce({
        kind: 'audio',
        rtpParameters: { codecs: [{ mimeType: 'audio/opus', payloadType: 111, clockRate: 48000, channels: 2 }], encodings: [{ ssrc }] }
      })
      await down.connect({ ip: '127.0.0.1', port: media.port })
      const consumer = await down.consume({ producerId: producer.id, rtpCapabilities: router.rtpCapabilities })
      return new Flow(up, down, producer, consumer, media, ssrc, events)
    } catch (error) {
      for (const transport of made) transport.close()
      throw error
    }
  }

  private constructor(up: ms.PlainTransport, down: ms.PlainTransport, producer: ms.Producer, consumer: ms.Consumer, media: Media, ssrc: number, events: FlowEvents) {
    this.up = up
    this.down = down
    this.producer = producer
    this.consumer = consumer
    this.#media = media
    this.#events = events
    for (const transport of [up, down]) transport.on('routerclose', () => this.#break('routerclose'))
    consumer.on('producerclose', () => this.#break('producerclose'))
    media.listen(ssrcOf(consumer), () => {
      this.arrived++
      this.#missed = 0
    })
    this.#source = media.send(ssrc, up.tuple.localPort, () => {
      if (++this.#missed === STALLED_PACKETS) this.#break(`nothing of ${STALLED_PACKETS} packets arrived`)
    })
  }

  /** In which Workers it begins and ends. */
  async pids({ connection }: RemoteMediasoup): Promise<number[]> {
    return (await Promise.all([this.up, this.down].map(transport => connection.locate(transport)))).map(({ pid }) => pid!)
  }

  #break(why: string) {
    if (this.#isOver) return
    this.end()
    this.#events.onBroken(why)
  }

  end() {
    this.#isOver = true
    this.#source.stop()
    this.#media.forget(ssrcOf(this.consumer))
    this.up.close()
    this.down.close()
  }
}

const ssrcOf = ({ rtpParameters }: ms.Consumer) => rtpParameters.encodings![0]!.ssrc!
