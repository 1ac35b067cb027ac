// What one seat sees and hears: a Consumer for each Producer on stage, made paused, and resumed when
// the client is ready for it. Of a video it gets the layer that its tile has pixels for.

import type * as ms from 'mediasoup/types'
import type { InTurn } from './at-most.ts'
import type { Notify } from './webinar.ts'

/** Up to which width of a tile a spatial layer will do. Wider ones get the last. */
const WIDTHS = [320, 640]

export class Viewing {
  readonly #transport: ms.Transport
  readonly #rtpCapabilities: ms.RtpCapabilities
  readonly #consumeInTurn: InTurn
  readonly #notify: Notify
  readonly #consumers = new Map<string, ms.Consumer>()
  #ended = false

  constructor(
    transport: ms.Transport,
    rtpCapabilities: ms.RtpCapabilities,
    consumeInTurn: InTurn,
    notify: Notify
  ) {
    this.#transport = transport
    this.#rtpCapabilities = rtpCapabilities
    this.#consumeInTurn = consumeInTurn
    this.#notify = notify
  }

  end() {
    this.#ended = true
    for (const consumer of this.#consumers.values()) consumer.close()
  }

  async start(producers: ms.Producer[]) {
    const consumers = await Promise.all(producers.map(producer => this.#consume(producer)))
    return { consumers: consumers.filter(consumer => consumer !== undefined) }
  }

  async show(producer: ms.Producer) {
    try {
      const consumer = await this.#consume(producer)
      if (consumer) this.#notify('consumer', consumer)
    } catch (error) {
      console.error(`a Consumer of ${producer.id} could not be made:`, error)
    }
  }

  async resume(ids: unknown) {
    const consumers = [ids].flat().map(id => this.#consumer(id))
    await Promise.all(consumers.map(consumer => consumer.resume()))
  }

  /** @param tiles widths in pixels by the ids of Consumers; what is not shown is 0 wide */
  async setTiles(tiles: unknown) {
    const wanted = Object.entries(Object(tiles) as object).map(
      ([id, width]) => [this.#consumer(id), Number(width)] as const
    )
    await Promise.all(
      wanted.map(async ([consumer, width]) => {
        if (!(width > 0)) return consumer.pause()
        await consumer.setPreferredLayers({ spatialLayer: layerFor(width) })
        await consumer.resume()
      })
    )
  }

  /** Undefined if it is not to be seen any more. */
  async #consume(producer: ms.Producer) {
    const consumer = await this.#consumeInTurn(() =>
      this.#transport.consume({
        producerId: producer.id,
        rtpCapabilities: this.#rtpCapabilities,
        paused: true,
        preferredLayers: { spatialLayer: 0 }
      })
    ).catch(error => {
      if (!producer.closed && !this.#transport.closed) throw error
    })
    if (!consumer || consumer.closed) return undefined
    if (this.#ended) return consumer.close()
    const { id, kind, rtpParameters } = consumer
    this.#consumers.set(id, consumer)
    consumer.observer.once('close', () => this.#consumers.delete(id))
    consumer.on('producerclose', () => this.#notify('consumerClosed', { consumerId: id }))
    return { id, producerId: producer.id, seat: producer.appData.seat, kind, rtpParameters }
  }

  #consumer(id: unknown): ms.Consumer {
    const consumer = this.#consumers.get(String(id))
    if (!consumer) throw new Error(`there is no Consumer ${id}`)
    return consumer
  }
}

const layerFor = (width: number) => {
  const layer = WIDTHS.findIndex(widest => width <= widest)
  return layer < 0 ? WIDTHS.length : layer
}
