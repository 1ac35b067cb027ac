// RTP from a Producer to a Consumer, each on a PlainTransport of its own, and perhaps over a pipe
// to another Router.

import type * as ms from 'mediasoup/types'
import type { RemoteMediasoup } from '../../client/index.ts'
import type { Media } from './media.ts'

// The host says which of its addresses it is.
const LISTEN: ms.TransportListenInfo = { protocol: 'udp', ip: '0.0.0.0' }
// That many packets in a row are not lost to a machine that is busy, nor to a host that is
// unplugged: a pipe or a transport is gone.
const STALLED_PACKETS = 150

export interface FlowOptions {
  /** Where it begins and where it ends: one Router, or two. */
  from: ms.Router
  to: ms.Router
  media: Media
  ssrc: number
  onBroken(why: string): void
}

interface Ends {
  up: ms.PlainTransport
  down: ms.PlainTransport
  producer: ms.Producer
  consumer: ms.Consumer
  /** The Consumer and the Producer of its pipe, if it has one. */
  pipe: (ms.Consumer | ms.Producer)[]
}

export class Flow {
  readonly producer: ms.Producer
  readonly consumer: ms.Consumer
  readonly #ends: Ends
  readonly #options: FlowOptions
  readonly #source: { stop(): void }
  arrived = 0
  #missed = 0
  #isToggled = false
  #isOver = false

  static async start(options: FlowOptions): Promise<Flow> {
    const { from, to, media, ssrc } = options
    const made: ms.PlainTransport[] = []
    try {
      const up = await from.createPlainTransport({
        listenInfo: LISTEN,
        rtcpMux: true,
        comedia: true
      })
      made.push(up)
      const down = await to.createPlainTransport({ listenInfo: LISTEN, rtcpMux: true })
      made.push(down)
      const producer = await up.produce({
        kind: 'audio',
        rtpParameters: {
          codecs: [{ mimeType: 'audio/opus', payloadType: 111, clockRate: 48000, channels: 2 }],
          encodings: [{ ssrc }]
        }
      })
      await down.connect({ ip: media.address, port: media.port })
      const piped =
        from === to ? undefined : await from.pipeToRouter({ producerId: producer.id, router: to })
      const consumer = await down.consume({
        producerId: producer.id,
        rtpCapabilities: to.rtpCapabilities
      })
      return new Flow(
        {
          up,
          down,
          producer,
          consumer,
          pipe: piped ? [piped.pipeConsumer!, piped.pipeProducer!] : []
        },
        options
      )
    } catch (error) {
      for (const transport of made) transport.close()
      throw error
    }
  }

  private constructor(ends: Ends, options: FlowOptions) {
    const { up, down, producer, consumer } = (this.#ends = ends)
    const { media, ssrc } = (this.#options = options)
    this.producer = producer
    this.consumer = consumer
    for (const transport of [up, down])
      transport.on('routerclose', () => this.#break('routerclose'))
    consumer.on('producerclose', () => this.#break('producerclose'))
    media.listen(ssrcOf(consumer), () => {
      this.arrived++
      this.#missed = 0
    })
    this.#source = media.send(ssrc, up.tuple, () => {
      if (this.#isToggled || consumer.paused) this.#missed = 0
      else if (++this.#missed === STALLED_PACKETS)
        this.#break(`nothing of ${STALLED_PACKETS} packets arrived`)
    })
  }

  /** The Workers that carry it, as far as the application can know. */
  async pids({ connection }: RemoteMediasoup): Promise<number[]> {
    const { up, down, pipe } = this.#ends
    return (await Promise.all([up, down, ...pipe].map(object => connection.locate(object)))).map(
      ({ pid }) => pid!
    )
  }

  /** Pauses and resumes it, or just resumes it, where that had failed before. */
  async toggle() {
    this.#isToggled = true
    try {
      if (!this.consumer.paused) await this.consumer.pause()
      await this.consumer.resume()
    } finally {
      this.#isToggled = false
    }
  }

  #break(why: string) {
    if (this.#isOver) return
    this.end()
    this.#options.onBroken(why)
  }

  end() {
    this.#isOver = true
    this.#source.stop()
    this.#options.media.forget(ssrcOf(this.consumer))
    this.#ends.up.close()
    this.#ends.down.close()
  }
}

const ssrcOf = ({ rtpParameters }: ms.Consumer) => rtpParameters.encodings![0]!.ssrc!
