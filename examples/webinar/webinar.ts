// A webinar: a Router, who has a seat, and who of them is on stage.

import type * as ms from 'mediasoup/types'
import { Hands } from './hands.ts'
import { atMost } from './at-most.ts'
import { Seat } from './seat.ts'

const mediaCodecs: ms.RouterRtpCodecCapability[] = [
  { kind: 'audio', mimeType: 'audio/opus', clockRate: 48000, channels: 2 },
  { kind: 'video', mimeType: 'video/VP8', clockRate: 90000 }
]

// When all come at once, that many Consumers are made at the same time, and others wait.
const CONSUMES_AT_ONCE = 100

export interface WebinarOptions {
  worker: ms.Worker
  webRtcServer: ms.WebRtcServer
  listenIp: string
  /** How many may be on stage, and how many may listen. */
  stageSize: number
  seats: number
}

export type Notify = (event: string, data: object) => void

export class Webinar {
  readonly options: WebinarOptions
  readonly router: ms.Router
  readonly hands: Hands
  readonly stage = new Set<Seat>()
  readonly consumeInTurn = atMost(CONSUMES_AT_ONCE)
  readonly #seats = new Map<string, Seat>()

  static async open(options: WebinarOptions): Promise<Webinar> {
    const router = await options.worker.createRouter({ mediaCodecs })
    return new Webinar(options, router, await Hands.open(router))
  }

  private constructor(options: WebinarOptions, router: ms.Router, hands: Hands) {
    this.options = options
    this.router = router
    this.hands = hands
  }

  get taken() {
    return this.#seats.size
  }

  join(id: string, isHost: boolean, notify: Notify): Seat {
    const { seats, stageSize } = this.options
    if (!id || this.#seats.has(id))
      throw new Error(`the id of a seat must be new in the webinar (got "${id}")`)
    if (this.taken >= seats + stageSize) throw new Error(`all ${seats} seats are taken`)
    const seat = new Seat(this, id, isHost, notify)
    if (isHost) this.#enterStage(seat)
    this.#seats.set(id, seat)
    return seat
  }

  leave(seat: Seat) {
    this.#seats.delete(seat.id)
    this.stage.delete(seat)
    this.hands.lower(seat.id)
  }

  promote(id: string) {
    const seat = this.#seat(id)
    this.#enterStage(seat)
    this.hands.lower(id)
    seat.notify('promoted', {})
  }

  demote(id: string) {
    const seat = this.#seat(id)
    this.stage.delete(seat)
    for (const producer of seat.producers.values()) producer.close()
    seat.notify('demoted', {})
  }

  /** Somebody on stage is heard or seen from now on: by all who watch. */
  show(producer: ms.Producer) {
    for (const seat of this.#seats.values()) seat.show(producer)
  }

  close() {
    this.router.close()
  }

  #seat(id: string): Seat {
    const seat = this.#seats.get(id)
    if (!seat) throw new Error(`nobody has the seat "${id}"`)
    return seat
  }

  #enterStage(seat: Seat) {
    const { stageSize } = this.options
    if (this.stage.size >= stageSize && !this.stage.has(seat))
      throw new Error(`there are ${stageSize} on stage already`)
    this.stage.add(seat)
  }
}
