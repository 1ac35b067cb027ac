// What a participant may ask for. Browsers come by WebRTC; gateways, players and recorders by plain
// RTP.

import type * as ms from 'mediasoup/types'
import { Recorder } from './recorder.ts'
import type { Notify, Room, Seats } from './room.ts'

/** What clients send; mediasoup checks it. */
type Data = Record<string, unknown>

export class Participant {
  readonly transports = new Map<string, ms.WebRtcTransport | ms.PlainTransport>()
  readonly producers = new Map<string, ms.Producer>()
  readonly #consumers = new Map<string, ms.Consumer>()
  readonly #recorders = new Map<string, Recorder>()
  readonly #room: Room
  readonly #seats: Seats
  readonly id: string
  readonly notify: Notify

  constructor(room: Room, id: string, seats: Seats, notify: Notify) {
    this.#room = room
    this.#seats = seats
    this.id = id
    this.notify = notify
  }

  get router() {
    return this.#seats.router
  }

  async handle(method: string, data: Data): Promise<object | void> {
    switch (method) {
      case 'capabilities':
        return this.router.rtpCapabilities
      case 'createWebRtcTransport':
        return this.#createWebRtcTransport()
      case 'createPlainTransport':
        return this.#createPlainTransport(data)
      case 'connectTransport':
        return this.#transport(data).connect(data as never)
      case 'produce':
        return this.#produce(data)
      case 'consume':
        return this.#consume(data)
      case 'resume':
        return this.#consumer(data).resume()
      case 'pause':
        return this.#consumer(data).pause()
      case 'preferLayers':
        return this.#consumer(data).setPreferredLayers(data as never)
      case 'closeProducer':
        return this.#producer(data).close()
      case 'record':
        return this.#record(data)
      case 'stopRecording':
        return this.#recorders.get(String(data.producerId))?.stop()
      default:
        throw new Error(`there is no method ${method}`)
    }
  }

  leave() {
    if (!this.#room.participants.delete(this.id)) return
    this.#seats.taken--
    for (const transport of this.transports.values()) transport.close()
    for (const recorder of this.#recorders.values()) recorder.stop()
    this.#room.tell('left', { participant: this.id })
  }

  async #createWebRtcTransport() {
    const transport = await this.router.createWebRtcTransport({
      webRtcServer: this.#seats.webRtcServer,
      initialAvailableOutgoingBitrate: 1_000_000,
      enableSctp: true
    })
    this.transports.set(transport.id, transport)
    transport.on('dtlsstatechange', state => {
      if (state === 'closed' || state === 'failed') transport.close()
    })
    transport.observer.once('close', () => this.transports.delete(transport.id))
    const { id, iceParameters, iceCandidates, dtlsParameters, sctpParameters } = transport
    return { id, iceParameters, iceCandidates, dtlsParameters, sctpParameters }
  }

  async #createPlainTransport({ comedia = true }: Data) {
    const transport = await this.router.createPlainTransport({
      listenInfo: { protocol: 'udp', ip: this.#room.listenIp },
      rtcpMux: true,
      comedia: comedia === true
    })
    this.transports.set(transport.id, transport)
    transport.observer.once('close', () => this.transports.delete(transport.id))
    return { id: transport.id, ip: transport.tuple.localAddress, port: transport.tuple.localPort }
  }

  async #produce(data: Data) {
    const { kind, rtpParameters } = data as unknown as ms.ProducerOptions
    const producer = await this.#transport(data).produce({
      kind,
      rtpParameters,
      appData: { participant: this.id }
    })
    this.producers.set(producer.id, producer)
    producer.observer.once('close', () => this.producers.delete(producer.id))
    producer.on('score', score => this.notify('score', { producerId: producer.id, score }))
    if (kind === 'audio') await this.#room.listenTo(producer)
    this.#room.tell('produced', { participant: this.id, producerId: producer.id, kind }, this.id)
    return { id: producer.id }
  }

  async #consume(data: Data) {
    const { producerId, rtpCapabilities = this.router.rtpCapabilities } =
      data as unknown as ms.ConsumerOptions
    await this.#room.bring(producerId, this.router)
    if (!this.router.canConsume({ producerId, rtpCapabilities }))
      throw new Error(`${this.id} cannot consume ${producerId}`)
    const consumer = await this.#transport(data).consume({
      producerId,
      rtpCapabilities,
      paused: true
    })
    this.#consumers.set(consumer.id, consumer)
    consumer.observer.once('close', () => this.#consumers.delete(consumer.id))
    consumer.on('producerclose', () => this.notify('consumerClosed', { consumerId: consumer.id }))
    const { id, kind, rtpParameters } = consumer
    return { id, kind, rtpParameters }
  }

  /** Writes what a Producer sends to a file, on the machine of this application. */
  async #record({ producerId, file }: Data) {
    const { id } = await this.#room.bring(String(producerId), this.router)
    const recorder = await Recorder.start(this.router, {
      producerId: id,
      file: String(file),
      listenIp: this.#room.listenIp
    })
    this.#recorders.set(id, recorder)
    return { program: recorder.program }
  }

  #transport({ transportId }: Data) {
    return found(this.transports, 'transport', transportId)
  }

  #consumer({ consumerId }: Data) {
    return found(this.#consumers, 'Consumer', consumerId)
  }

  #producer({ producerId }: Data) {
    return found(this.producers, 'Producer', producerId)
  }
}

function found<T>(all: Map<string, T>, what: string, id: unknown): T {
  const one = all.get(String(id))
  if (!one) throw new Error(`there is no ${what} ${id}`)
  return one
}
