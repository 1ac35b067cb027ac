// A video room, written against mediasoup's API and nothing else. It cannot tell whether
// `mediasoup` is the library in this process or many machines far away, so compare it with your own
// mediasoup application.

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
  /**
   * Says where a transport is, for the tiles. Default: this machine, and the Worker of the room.
   */
  locate?(transport: ms.WebRtcTransport): Promise<Carrier>
}

/** A Worker and the machine that runs it. */
export interface Carrier {
  host: string
  workerPid: number
}

/** What everybody in the room knows about a participant. */
export interface ParticipantInfo {
  id: string
  name: string
  sendsTo: Carrier
  receivesFrom: Carrier
  producerIds: string[]
  dataProducerIds: string[]
}

/** What the room tells a participant without being asked. */
export interface Notices {
  joined: ParticipantInfo
  left: { participantId: string }
  newProducer: { participantId: string; producerId: string }
  newDataProducer: { participantId: string; dataProducerId: string }
  consumerPaused: { consumerId: string }
  consumerResumed: { consumerId: string }
  consumerClosed: { consumerId: string }
  speaker: { participantId: string }
  /** The Worker or host of this participant is gone. To join again gives them another one. */
  lost: { reason: string }
}

export type Notify = <N extends keyof Notices>(notice: N, data: Notices[N]) => void

/**
 * One Worker with one Router: everybody hears and sees everybody. Emits 'close' when its Worker has
 * died.
 */
export class Room extends EventEmitter<{ close: [] }> {
  readonly router: ms.Router
  readonly participants = new Map<string, Participant>()
  readonly #worker: ms.Worker
  readonly #options: RoomOptions
  readonly #voices = new Set<ms.Producer>()
  #speakers: Promise<ms.ActiveSpeakerObserver>
  #speakerId: string | undefined

  static async open(options: RoomOptions): Promise<Room> {
    const worker = await options.mediasoup.createWorker({ logLevel: 'warn' })
    try {
      const room = new Room(options, worker, await worker.createRouter({ mediaCodecs }))
      await room.#speakers
      return room
    } catch (error) {
      worker.close()
      throw error
    }
  }

  private constructor(options: RoomOptions, worker: ms.Worker, router: ms.Router) {
    super()
    this.router = router
    this.#worker = worker
    this.#options = options
    this.#speakers = this.#observeSpeakers()
    worker.on('died', () => this.emit('close'))
  }

  /** Prepares the transports of a participant, who may then enter. */
  async admit(name: string, notify: Notify): Promise<Participant> {
    const creating = [this.#createTransport(), this.#createTransport()] as const
    try {
      return new Participant(this, name, notify, ...(await Promise.all(creating)))
    } catch (error) {
      // If only one of them failed, nobody owns the other one.
      for (const created of creating)
        created.then(
          ({ transport }) => transport.close(),
          () => {}
        )
      throw error
    }
  }

  tellOthers<N extends keyof Notices>(sender: Participant, notice: N, data: Notices[N]): void {
    for (const participant of this.participants.values()) {
      if (participant !== sender) participant.notify(notice, data)
    }
  }

  async watchSpeaker(producer: ms.Producer): Promise<void> {
    this.#voices.add(producer)
    producer.observer.once('close', () => this.#voices.delete(producer))
    await mark(producer, this.#speakers)
  }

  get speakerId(): string | undefined {
    return this.#speakerId
  }

  close(): void {
    this.#worker.close()
  }

  async #createTransport(): Promise<CarriedTransport> {
    const transport = await this.router.createWebRtcTransport({
      listenInfos: this.#options.listenInfos,
      enableSctp: true,
      initialAvailableOutgoingBitrate: 800_000
    })
    try {
      return { transport, carrier: await this.#locate(transport) }
    } catch (error) {
      transport.close()
      throw error
    }
  }

  async #locate(transport: ms.WebRtcTransport): Promise<Carrier> {
    return (
      (await this.#options.locate?.(transport)) ?? {
        host: 'this machine',
        workerPid: this.#worker.pid
      }
    )
  }

  async #observeSpeakers(): Promise<ms.ActiveSpeakerObserver> {
    const speakers = await this.router.createActiveSpeakerObserver()
    speakers.on('dominantspeaker', ({ producer }) => this.#speaks(producer))
    speakers.on('routerclose', () => this.#replaceObserver())
    return speakers
  }

  // A spanning Router outlives the loss of a host. The observer does not, if it was there.
  #replaceObserver(): void {
    if (this.router.closed) return
    this.#speakers = this.#observeSpeakers()
    for (const producer of this.#voices) mark(producer, this.#speakers)
  }

  #speaks(producer: ms.Producer): void {
    this.#speakerId = String(producer.appData.participantId)
    for (const participant of this.participants.values()) {
      participant.notify('speaker', { participantId: this.#speakerId })
    }
  }
}

/** A participant who cannot be marked as speaking is still heard. */
async function mark(
  producer: ms.Producer,
  speakers: Promise<ms.ActiveSpeakerObserver>
): Promise<void> {
  try {
    await (await speakers).addProducer({ producerId: producer.id })
  } catch (error) {
    if (!producer.closed) console.warn('a speaker is not marked:', error)
  }
}

interface CarriedTransport {
  transport: ms.WebRtcTransport
  carrier: Carrier
}

/** A participant in the room, or about to enter it. `methods` lists what a browser may ask. */
export class Participant {
  readonly id = randomUUID()
  readonly name: string
  readonly notify: Notify
  readonly #room: Room
  readonly #sendTransport: ms.WebRtcTransport
  readonly #recvTransport: ms.WebRtcTransport
  readonly #carriers: Pick<ParticipantInfo, 'sendsTo' | 'receivesFrom'>
  readonly #producers = new Map<string, ms.Producer>()
  readonly #dataProducers = new Map<string, ms.DataProducer>()
  readonly #consumers = new Map<string, ms.Consumer>()

  constructor(
    room: Room,
    name: string,
    notify: Notify,
    send: CarriedTransport,
    recv: CarriedTransport
  ) {
    this.name = name
    this.notify = notify
    this.#room = room
    this.#sendTransport = send.transport
    this.#recvTransport = recv.transport
    this.#carriers = { sendsTo: send.carrier, receivesFrom: recv.carrier }
    for (const { transport, carrier } of [send, recv])
      transport.on('routerclose', () => this.#lost(carrier))
  }

  get info(): ParticipantInfo {
    return {
      id: this.id,
      name: this.name,
      ...this.#carriers,
      producerIds: [...this.#producers.keys()],
      dataProducerIds: [...this.#dataProducers.keys()]
    }
  }

  /** Tells the others, and returns what the browser needs to begin. Notices follow. */
  enter() {
    if (this.#sendTransport.closed || this.#recvTransport.closed)
      throw new Error('What carried you was lost meanwhile.')
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

  async connectTransport({
    transportId,
    dtlsParameters
  }: {
    transportId: string
    dtlsParameters: ms.DtlsParameters
  }): Promise<void> {
    const transport = [this.#sendTransport, this.#recvTransport].find(
      ({ id }) => id === transportId
    )
    await known(transport, 'WebRtcTransport', transportId).connect({ dtlsParameters })
  }

  async produce({
    kind,
    rtpParameters,
    paused
  }: {
    kind: ms.MediaKind
    rtpParameters: ms.RtpParameters
    paused: boolean
  }): Promise<{ id: string }> {
    const appData = { participantId: this.id }
    const producer = await this.#sendTransport.produce({ kind, rtpParameters, paused, appData })
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

  async produceData({
    sctpStreamParameters,
    label
  }: {
    sctpStreamParameters: ms.SctpStreamParameters
    label?: string
  }): Promise<{ id: string }> {
    const dataProducer = await this.#sendTransport.produceData({ sctpStreamParameters, label })
    this.#dataProducers.set(dataProducer.id, dataProducer)
    this.#room.tellOthers(this, 'newDataProducer', {
      participantId: this.id,
      dataProducerId: dataProducer.id
    })
    return { id: dataProducer.id }
  }

  /** The Consumer starts paused: no frame is lost while the browser gets ready for it. */
  async consume({
    producerId,
    rtpCapabilities
  }: {
    producerId: string
    rtpCapabilities: ms.RtpCapabilities
  }) {
    const consumer = await this.#recvTransport.consume({
      producerId,
      rtpCapabilities,
      paused: true
    })
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
    dataConsumer.on('dataproducerclose', () =>
      this.notify('consumerClosed', { consumerId: dataConsumer.id })
    )
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

  #lost({ host, workerPid }: Carrier): void {
    // The loss of the other transport may have been first.
    if (!this.#room.participants.has(this.id)) return
    this.leave()
    this.notify('lost', { reason: `Worker ${workerPid} of ${host} is gone.` })
  }
}

/** The methods that a browser may call. */
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
export type Requests = Pick<Participant, (typeof methods)[number]> & {
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
