// A video room, written against mediasoup's API and nothing else. It cannot tell whether `mediasoup` is the library in
// this process or a machine far away, so compare it with your own mediasoup application.

import { randomUUID } from 'node:crypto'
import { EventEmitter } from 'node:events'
import type * as ms from 'mediasoup/types'

const mediaCodecs: ms.RouterRtpCodecCapability[] = [
  { kind: 'audio', mimeType: 'audio/opus', clockRate: 48000, channels: 2 },
  { kind: 'video', mimeType: 'video/VP8', clockRate: 90000 }
]

export interface RoomOptions {
  /** `import * as mediasoup from 'mediasoup'`, or `await connect(url)`. */
  mediasoup: ms.Index
  /** Where the participants' media arrives, on the machine that runs the Worker. */
  listenInfos: ms.TransportListenInfo[]
  /** The name of that machine, shown with each participant. */
  carrier: string
}

/** What everybody in the room knows about a participant. */
export interface ParticipantInfo {
  id: string
  name: string
  carrier: string
  workerPid: number
  producerIds: string[]
  dataProducerIds: string[]
}

/** What the room tells a participant without being asked. */
export interface Notices {
  joined: ParticipantInfo
  left: { participantId: string }
  newProducer: { participantId: string, producerId: string }
  newDataProducer: { participantId: string, dataProducerId: string }
  consumerPaused: { consumerId: string }
  consumerResumed: { consumerId: string }
  consumerClosed: { consumerId: string }
  speaker: { participantId: string }
  roomClosed: { reason: string }
}

export type Notify = <N extends keyof Notices>(notice: N, data: Notices[N]) => void

/** One Worker with one Router: everybody hears and sees everybody. Emits 'close' when its Worker has died. */
export class Room extends EventEmitter<{ close: [] }> {
  readonly router: ms.Router
  readonly participants = new Map<string, Participant>()
  readonly #worker: ms.Worker
  readonly #speakers: ms.ActiveSpeakerObserver
  readonly #options: RoomOptions
  #speakerId: string | undefined

  static async open(options: RoomOptions): Promise<Room> {
    const worker = await options.mediasoup.createWorker({ logLevel: 'warn' })
    const router = await worker.createRouter({ mediaCodecs })
    const speakers = await router.createActiveSpeakerObserver()
    return new Room(options, worker, router, speakers)
  }

  private constructor(
    options: RoomOptions,
    worker: ms.Worker,
    router: ms.Router,
    speakers: ms.ActiveSpeakerObserver
  ) {
    super()
    this.router = router
    this.#worker = worker
    this.#speakers = speakers
    this.#options = options
    worker.on('died', () => this.#died())
    speakers.on('dominantspeaker', ({ producer }) => this.#speaks(producer))
  }

  /** Prepares the transports of somebody who then may enter. */
  async admit(name: string, notify: Notify): Promise<Participant> {
    const [sendTransport, recvTransport] = await Promise.all([this.#createTransport(), this.#createTransport()])
    return new Participant(this, name, notify, sendTransport, recvTransport)
  }

  tellOthers<N extends keyof Notices>(sender: Participant, notice: N, data: Notices[N]): void {
    for (const participant of this.participants.values()) {
      if (participant !== sender) participant.notify(notice, data)
    }
  }

  watchSpeaker(producer: ms.Producer): Promise<void> {
    return this.#speakers.addProducer({ producerId: producer.id })
  }

  get speakerId(): string | undefined {
    return this.#speakerId
  }

  get carriedBy(): Pick<ParticipantInfo, 'carrier' | 'workerPid'> {
    return { carrier: this.#options.carrier, workerPid: this.#worker.pid }
  }

  close(): void {
    this.#worker.close()
  }

  #createTransport(): Promise<ms.WebRtcTransport> {
    return this.router.createWebRtcTransport({
      listenInfos: this.#options.listenInfos,
      enableSctp: true,
      initialAvailableOutgoingBitrate: 800_000
    })
  }

  #speaks(producer: ms.Producer): void {
    this.#speakerId = String(producer.appData.participantId)
    for (const participant of this.participants.values()) {
      participant.notify('speaker', { participantId: this.#speakerId })
    }
  }

  #died(): void {
    for (const participant of this.participants.values()) {
      participant.notify('roomClosed', { reason: 'The media Worker that carried this room has died.' })
    }
    this.emit('close')
  }
}

/** Somebody in the room, or about to enter it. What a browser may ask of it is listed in `methods`. */
export class Participant {
  readonly id = randomUUID()
  readonly name: string
  readonly notify: Notify
  readonly #room: Room
  readonly #sendTransport: ms.WebRtcTransport
  readonly #recvTransport: ms.WebRtcTransport
  readonly #producers = new Map<string, ms.Producer>()
  readonly #dataProducers = new Map<string, ms.DataProducer>()
  readonly #consumers = new Map<string, ms.Consumer>()

  constructor(
    room: Room,
    name: string,
    notify: Notify,
    sendTransport: ms.WebRtcTransport,
    recvTransport: ms.WebRtcTransport
  ) {
    this.name = name
    this.notify = notify
    this.#room = room
    this.#sendTransport = sendTransport
    this.#recvTransport = recvTransport
  }

  get info(): ParticipantInfo {
    return {
      id: this.id,
      name: this.name,
      ...this.#room.carriedBy,
      producerIds: [...this.#producers.keys()],
      dataProducerIds: [...this.#dataProducers.keys()]
    }
  }

  /** Tells the others, and returns what the browser needs to begin. What happens from now on comes as notices. */
  enter() {
    const others = [...this.#room.participants.values()].map(({ info }) => info)
    this.#room.participants.set(this.id, this)
    this.#room.tellOthers(this, 'joined', this.info)
    return {
      you: this.info,
      others,
      speakerId: this.#room.speakerId,
      routerRtpCapabilities: this.#room.router.rtpCapabilities,
      sendTransport: transportParameters(this.#sendTransport),
      recvTransport: transportParameters(this.#recvTransport)
    }
  }

  async connectTransport({ transportId, dtlsParameters }: {
    transportId: string
    dtlsParameters: ms.DtlsParameters
  }): Promise<void> {
    const transport = [this.#sendTransport, this.#recvTransport].find(({ id }) => id === transportId)
    await known(transport, 'WebRtcTransport', transportId).connect({ dtlsParameters })
  }

  async produce({ kind, rtpParameters }: {
    kind: ms.MediaKind
    rtpParameters: ms.RtpParameters
  }): Promise<{ id: string }> {
    const producer = await this.#sendTransport.produce({ kind, rtpParameters, appData: { participantId: this.id } })
    this.#producers.set(producer.id, producer)
    if (kind === 'audio') await this.#room.watchSpeaker(producer)
    this.#room.tellOthers(this, 'newProducer', { participantId: this.id, producerId: producer.id })
    return { id: producer.id }
  }

  async pauseProducer({ producerId }: { producerId: string }): Promise<void> {
    await known(this.#producers.get(producerId), 'Producer', producerId).pause()
  }

  async resumeProducer({ producerId }: { producerId: string }): Promise<void> {
    await known(this.#producers.get(producerId), 'Producer', producerId).resume()
  }

  async produceData({ sctpStreamParameters, label }: {
    sctpStreamParameters: ms.SctpStreamParameters
    label?: string
  }): Promise<{ id: string }> {
    const dataProducer = await this.#sendTransport.produceData({ sctpStreamParameters, label })
    this.#dataProducers.set(dataProducer.id, dataProducer)
    this.#room.tellOthers(this, 'newDataProducer', { participantId: this.id, dataProducerId: dataProducer.id })
    return { id: dataProducer.id }
  }

  /** The Consumer starts paused: no frame is lost while the browser gets ready for it. */
  async consume({ producerId, rtpCapabilities }: { producerId: string, rtpCapabilities: ms.RtpCapabilities }) {
    const consumer = await this.#recvTransport.consume({ producerId, rtpCapabilities, paused: true })
    const consumerId = consumer.id
    this.#consumers.set(consumerId, consumer)
    consumer.observer.on('close', () => this.#consumers.delete(consumerId))
    consumer.on('producerpause', () => this.notify('consumerPaused', { consumerId }))
    consumer.on('producerresume', () => this.notify('consumerResumed', { consumerId }))
    consumer.on('producerclose', () => this.notify('consumerClosed', { consumerId }))
    const { kind, rtpParameters, producerPaused } = consumer
    return { id: consumerId, producerId, kind, rtpParameters, producerPaused }
  }

  async resumeConsumer({ consumerId }: { consumerId: string }): Promise<void> {
    await known(this.#consumers.get(consumerId), 'Consumer', consumerId).resume()
  }

  async consumeData({ dataProducerId }: { dataProducerId: string }) {
    const dataConsumer = await this.#recvTransport.consumeData({ dataProducerId })
    dataConsumer.on('dataproducerclose', () => this.notify('consumerClosed', { consumerId: dataConsumer.id }))
    const { id, sctpStreamParameters, label, protocol } = dataConsumer
    // Only a DataConsumer of a DirectTransport has no SCTP stream.
    return { id, dataProducerId, sctpStreamParameters: sctpStreamParameters!, label, protocol }
  }

  /** Closing the transports closes everything that was made on them. */
  leave(): void {
    this.#sendTransport.close()
    this.#recvTransport.close()
    if (this.#room.participants.delete(this.id)) {
      this.#room.tellOthers(this, 'left', { participantId: this.id })
    }
  }
}

/** What a browser may ask. */
export const methods = [
  'connectTransport',
  'produce',
  'pauseProducer',
  'resumeProducer',
  'produceData',
  'consume',
  'resumeConsumer',
  'consumeData'
] as const satisfies (keyof Participant)[]

/** The signalling between browser and server is these methods, and `join` before all others. */
export type Requests = Pick<Participant, typeof methods[number]> & {
  join(data: { name: string }): ReturnType<Participant['enter']>
}

function transportParameters(transport: ms.WebRtcTransport) {
  const { id, iceParameters, iceCandidates, dtlsParameters, sctpParameters } = transport
  return { id, iceParameters, iceCandidates, dtlsParameters, sctpParameters }
}

function known<T>(object: T | undefined, kind: string, id: string): T {
  if (object) return object
  throw new Error(`${kind} must be one of this participant's own (got ${id})`)
}
