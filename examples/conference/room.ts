// A room: a Router on one Worker, and when that is full one more on the next. A Producer is piped to
// another Router when somebody there wants it.

import type * as ms from 'mediasoup/types'
import { Participant } from './participant.ts'

const mediaCodecs: ms.RouterRtpCodecCapability[] = [
  { kind: 'audio', mimeType: 'audio/opus', clockRate: 48000, channels: 2 },
  { kind: 'video', mimeType: 'video/VP8', clockRate: 90000 }
]

export interface RoomOptions {
  nextWorker(): ms.Worker
  routerSize: number
  listenIp: string
}

/** A Router, and how many participants it has. */
export interface Seats {
  router: ms.Router
  webRtcServer: ms.WebRtcServer
  taken: number
}

export type Notify = (event: string, data: object) => void

export class Room {
  readonly participants = new Map<string, Participant>()
  readonly listenIp: string
  readonly #options: RoomOptions
  readonly #seats: Seats[] = []
  // By Producer, and the Router that it was brought to.
  readonly #pipes = new Map<string, Promise<unknown>>()
  #levels!: ms.AudioLevelObserver
  #speakers!: ms.ActiveSpeakerObserver

  static async open(options: RoomOptions): Promise<Room> {
    const room = new Room(options)
    const { router } = await room.#grow()
    await room.#observe(router)
    return room
  }

  private constructor(options: RoomOptions) {
    this.#options = options
    this.listenIp = options.listenIp
  }

  async join(id: string, notify: Notify): Promise<Participant> {
    if (!id || this.participants.has(id))
      throw new Error(`the id of a participant must be new in the room (got "${id}")`)
    const seats =
      this.#seats.find(({ taken }) => taken < this.#options.routerSize) ?? (await this.#grow())
    seats.taken++
    const participant = new Participant(this, id, seats, notify)
    this.participants.set(id, participant)
    this.tell('joined', { participant: id }, id)
    return participant
  }

  tell(event: string, data: object, except?: string) {
    for (const { id, notify } of this.participants.values()) if (id !== except) notify(event, data)
  }

  find(producerId: string): { producer: ms.Producer; router: ms.Router } {
    for (const { producers, router } of this.participants.values()) {
      const producer = producers.get(producerId)
      if (producer) return { producer, router }
    }
    throw new Error(`there is no Producer ${producerId} in the room`)
  }

  /** What can be consumed on that Router from then on. */
  async bring(producerId: string, router: ms.Router): Promise<ms.Producer> {
    const { producer, router: origin } = this.find(producerId)
    if (origin === router) return producer
    const key = `${producerId} ${router.id}`
    const pipe = this.#pipes.get(key) ?? origin.pipeToRouter({ producerId, router })
    this.#pipes.set(key, pipe)
    producer.observer.once('close', () => this.#pipes.delete(key))
    await pipe
    return producer
  }

  /** Whose voice it is, everybody is told when it is heard. */
  async listenTo({ id: producerId }: ms.Producer) {
    await this.bring(producerId, this.#seats[0]!.router)
    await Promise.all([
      this.#levels.addProducer({ producerId }),
      this.#speakers.addProducer({ producerId })
    ])
  }

  async stats() {
    const transports = [...this.participants.values()].flatMap(({ transports }) => [
      ...transports.values()
    ])
    const all = (await Promise.all(transports.map(transport => transport.getStats()))).flat()
    const sum = (key: 'bytesReceived' | 'bytesSent') =>
      all.reduce((total, stat) => total + stat[key], 0)
    return {
      participants: this.participants.size,
      routers: this.#seats.length,
      bytesReceived: sum('bytesReceived'),
      bytesSent: sum('bytesSent')
    }
  }

  close() {
    for (const { router } of this.#seats) router.close()
  }

  async #grow(): Promise<Seats> {
    const worker = this.#options.nextWorker()
    const router = await worker.createRouter({ mediaCodecs })
    const webRtcServer = worker.appData.webRtcServer as ms.WebRtcServer
    const seats = { router, webRtcServer, taken: 0 }
    this.#seats.push(seats)
    return seats
  }

  async #observe(router: ms.Router) {
    const options = { maxEntries: 1, threshold: -70, interval: 500 }
    this.#levels = await router.createAudioLevelObserver(options)
    this.#speakers = await router.createActiveSpeakerObserver({ interval: 300 })
    this.#levels.on('volumes', ([loudest]) => {
      const { producer, volume } = loudest!
      this.tell('volume', { participant: producer.appData.participant, volume })
    })
    this.#levels.on('silence', () => this.tell('silence', {}))
    this.#speakers.on('dominantspeaker', ({ producer }) =>
      this.tell('speaker', { producerId: producer.id })
    )
  }
}
