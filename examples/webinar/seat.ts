// Somebody in a webinar, and what they may ask for.

import type * as ms from 'mediasoup/types'
import { Transports } from './transports.ts'
import { Viewing } from './viewing.ts'
import type { Notify, Webinar } from './webinar.ts'

/** What clients send; mediasoup checks it. */
type Data = Record<string, unknown>

export class Seat {
  readonly id: string
  readonly notify: Notify
  readonly producers = new Map<ms.MediaKind, ms.Producer>()
  readonly #webinar: Webinar
  readonly #isHost: boolean
  readonly #transports: Transports
  #hand: ms.DataProducer | undefined
  #viewing: Viewing | undefined

  constructor(webinar: Webinar, id: string, isHost: boolean, notify: Notify) {
    this.#webinar = webinar
    this.#isHost = isHost
    this.id = id
    this.notify = notify
    this.#transports = new Transports(webinar.router, webinar.options, transportId =>
      notify('transportClosed', { transportId })
    )
  }

  async handle(method: string, data: Data): Promise<object | void> {
    switch (method) {
      case 'capabilities':
        return this.#webinar.router.rtpCapabilities
      case 'createWebRtcTransport':
        return this.#transports.createWebRtc()
      case 'createPlainTransport':
        return this.#transports.createPlain(data)
      case 'connectTransport':
        return this.#transport(data).connect(data as never)
      case 'watch':
        return this.#watch(data)
      case 'resume':
        return this.#viewed.resume(data.consumerIds)
      case 'tiles':
        return this.#viewed.setTiles(data.tiles)
      case 'produce':
        return this.#produce(data)
      case 'produceHand':
        return this.#produceHand(data)
      case 'consumeHands':
        return this.#consumeHands(data)
      case 'promote':
        return this.#asHost().promote(String(data.seat))
      case 'demote':
        return this.#asHost().demote(String(data.seat))
      default:
        throw new Error(`there is no method ${method}`)
    }
  }

  show(producer: ms.Producer) {
    if (producer.appData.seat !== this.id) this.#viewing?.show(producer)
  }

  leave() {
    this.#webinar.leave(this)
    this.#transports.close()
  }

  /** Answers the Consumers of all on stage; those of who comes later are told. */
  async #watch(data: Data) {
    const { rtpCapabilities = this.#webinar.router.rtpCapabilities } = data
    const viewing = new Viewing(
      this.#transport(data),
      rtpCapabilities as ms.RtpCapabilities,
      this.#webinar.consumeInTurn,
      this.notify
    )
    this.#viewing?.end()
    this.#viewing = viewing
    const others = [...this.#webinar.stage].filter(seat => seat !== this)
    return viewing.start(others.flatMap(({ producers }) => [...producers.values()]))
  }

  async #produce(data: Data) {
    const { kind, rtpParameters } = data as unknown as ms.ProducerOptions
    const transport = this.#transport(data)
    if (!this.#webinar.stage.has(this)) throw new Error(`${this.id} is not on stage`)
    if (this.producers.has(kind)) throw new Error(`${this.id} sends ${kind} already`)
    const producer = await transport.produce({ kind, rtpParameters, appData: { seat: this.id } })
    // It was asked twice, or sent off the stage meanwhile.
    if (this.producers.has(kind) || !this.#webinar.stage.has(this)) producer.close()
    if (producer.closed) throw new Error(`${this.id} may not send this ${kind}`)
    this.producers.set(kind, producer)
    producer.observer.once('close', () => this.producers.delete(kind))
    this.#webinar.show(producer)
    return { id: producer.id }
  }

  /** A data channel, on which it says "up" or "down". */
  async #produceHand(data: Data) {
    const { sctpStreamParameters } = data as unknown as ms.DataProducerOptions
    this.#hand?.close()
    this.#hand = await this.#transport(data).produceData({ sctpStreamParameters, label: 'hand' })
    await this.#webinar.hands.watch(this.id, this.#hand)
    return { id: this.#hand.id }
  }

  /** A data channel, on which the host is told who has raised a hand. */
  async #consumeHands(data: Data) {
    const { hands } = this.#asHost()
    const consumer = await this.#transport(data).consumeData({ dataProducerId: hands.noticesId })
    return { id: consumer.id, sctpStreamParameters: consumer.sctpStreamParameters, up: hands.up }
  }

  #asHost(): Webinar {
    if (!this.#isHost) throw new Error(`${this.id} is not a host`)
    return this.#webinar
  }

  get #viewed(): Viewing {
    if (!this.#viewing) throw new Error(`${this.id} does not watch`)
    return this.#viewing
  }

  #transport({ transportId }: Data) {
    return this.#transports.get(transportId)
  }
}
