// A broadcast: one who publishes, and all who watch. It has a Router for each set of payload types,
// and one more when that is full; what is published is piped from the first one to the others.

import type * as ms from 'mediasoup/types'
import { agree, type Codec, fits, mediaCodecs, rtxOf, supported } from './codecs.ts'
import { Problem } from './problem.ts'
import { type Offer, sendingParameters } from './sdp.ts'
import { type Build, Session } from './session.ts'

export interface BroadcastOptions {
  nextWorker(): ms.Worker
  /** How many sessions a Router takes. */
  routerSize: number
}

/** A Router, what can be consumed on it, and how many sessions it has. */
interface Seats {
  router: ms.Router
  webRtcServer: ms.WebRtcServer
  producers: ms.Producer[]
  taken: number
}

export class Broadcast {
  /** The session of the one who publishes: without it there is no broadcast. */
  publisher!: Session
  readonly viewers = new Map<string, Session>()
  readonly #options: BroadcastOptions
  readonly #seats: Seats[] = []
  #seated: Promise<unknown> = Promise.resolve()
  #closed = false

  static async open(offer: Offer, options: BroadcastOptions): Promise<Broadcast> {
    const broadcast = new Broadcast(options)
    try {
      broadcast.publisher = await broadcast.#publish(offer)
      broadcast.publisher.onceClosed(() => broadcast.close())
      return broadcast
    } catch (error) {
      broadcast.close()
      throw error
    }
  }

  private constructor(options: BroadcastOptions) {
    this.#options = options
  }

  async watch(offer: Offer): Promise<Session> {
    const { router, producers } = this.#seats[0]!
    const { codecs } = agree(offer.rtpCapabilities, router.rtpCapabilities)
    const wanted = producers.filter(({ kind }) => offer.sections.some(({ type }) => type === kind))
    const missing = wanted.find(({ kind }) => !codecs.some(codec => codec.kind === kind))
    if (missing || !wanted.length)
      throw new Problem(422, `the offer must have what is published: ${mimeTypesOf(producers)}`)
    try {
      const seats = await this.#seat(offer, codecs)
      const session = await this.#send(offer, codecs, seats)
      this.viewers.set(session.id, session)
      session.onceClosed(() => this.viewers.delete(session.id))
      return session
    } catch (error) {
      if (this.#closed) throw new Problem(409, 'the broadcast has ended', { 'retry-after': '2' })
      throw error
    }
  }

  close() {
    this.#closed = true
    for (const { router } of this.#seats) router.close()
  }

  async #publish(offer: Offer): Promise<Session> {
    const { codecs } = agree(offer.rtpCapabilities, supported)
    const missing = offer.sections.find(({ type }) => !codecs.some(({ kind }) => kind === type))
    if (missing) throw new Problem(422, `${missing.type} must have opus, VP8 or H264`)
    const seats = await this.#seat(offer, codecs)
    const agreed = agree(offer.rtpCapabilities, seats.router.rtpCapabilities)
    return this.#open(offer, seats, async (transport, answer) => {
      for (const section of offer.sections) {
        const rtpParameters = sendingParameters(section, agreed)
        const options = { kind: section.type, rtpParameters } as ms.ProducerOptions
        seats.producers.push(await transport.produce(options))
        answer.receives(section, agreed, rtpParameters)
      }
    })
  }

  #send(offer: Offer, codecs: Codec[], seats: Seats): Promise<Session> {
    return this.#open(offer, seats, async (transport, answer) => {
      for (const section of offer.sections) {
        const { mid, type } = section
        const producer = seats.producers.find(({ kind }) => kind === type)
        if (!producer) {
          answer.ignores(section)
          continue
        }
        const consumer = await transport.consume({
          producerId: producer.id,
          rtpCapabilities: offer.rtpCapabilities as ms.RtpCapabilities,
          mid,
          enableRtx: codecs.some(codec => codec.kind === type && rtxOf(codec))
        })
        answer.sends(section, consumer, this.publisher.id)
      }
    })
  }

  /** A session, which has its seat until it is closed. */
  async #open(offer: Offer, seats: Seats, build: Build): Promise<Session> {
    const leave = () => {
      seats.taken--
    }
    try {
      const session = await Session.open(seats.router, seats.webRtcServer, offer, build)
      session.onceClosed(leave)
      return session
    } catch (error) {
      leave()
      throw error
    }
  }

  /** A seat, for one after the other, so that those who come at once share a Router. */
  #seat({ rtpCapabilities }: Offer, codecs: Codec[]): Promise<Seats> {
    const { routerSize } = this.#options
    const seated = this.#seated.then(async () => {
      const there = this.#seats.find(
        ({ router, taken }) => taken < routerSize && fits(codecs, rtpCapabilities, router)
      )
      const seats = there ?? (await this.#grow(codecs))
      seats.taken++
      return seats
    })
    this.#seated = seated.catch(() => {}) // Who asked for that seat is told.
    return seated
  }

  /** One more Router, on the next Worker, to which all is piped that it has a codec for. */
  async #grow(codecs: Codec[]): Promise<Seats> {
    const worker = this.#options.nextWorker()
    const router = await worker.createRouter({ mediaCodecs: mediaCodecs(codecs) })
    const producers: ms.Producer[] = []
    try {
      for (const { id: producerId, kind } of this.#seats[0]?.producers ?? []) {
        if (!codecs.some(codec => codec.kind === kind)) continue
        // With another id, because both Routers may be on the same Worker.
        const options = { producerId, router, keepId: false }
        const { pipeProducer } = await this.#seats[0]!.router.pipeToRouter(options)
        producers.push(pipeProducer!)
      }
      if (this.#closed) throw new Error('the broadcast has ended')
    } catch (error) {
      router.close()
      throw error
    }
    const webRtcServer = worker.appData.webRtcServer as ms.WebRtcServer
    const seats = { router, webRtcServer, producers, taken: 0 }
    this.#seats.push(seats)
    return seats
  }
}

const mimeTypesOf = (producers: ms.Producer[]) =>
  producers.map(({ rtpParameters }) => rtpParameters.codecs[0]!.mimeType).join(', ')
