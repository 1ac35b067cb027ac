// How fast the messages of a session are read: by what they cost, and only some of them before other
// sessions have their turn.

import { TokenBucket } from './token-bucket.ts'

// What the messages cost that are read of one session before the event loop looks at all others.
const MAX_COST_PER_TURN = 16

export interface Reading {
  /** Nothing more is to be read. */
  pause(): void
  /** It may go on. */
  resume(): void
}

export class Pacer {
  readonly #bucket = new TokenBucket()
  readonly #reading: Reading
  #turn = 0
  #timer: NodeJS.Timeout | undefined
  #immediate: NodeJS.Immediate | undefined
  #ended = false

  constructor(reading: Reading) {
    this.#reading = reading
  }

  /** Whether nothing may be read at the moment. */
  get waits(): boolean {
    return this.#timer !== undefined || this.#immediate !== undefined
  }

  /**
   * Pays for something that has come already: when there was not enough left, or when it was enough
   * for this turn, the next is read later. Answers whether there was something left.
   */
  pay(cost: number, rate: number): boolean {
    const isPaid = this.#bucket.take(rate, cost)
    if (this.#ended) return isPaid
    const delay = this.#bucket.wait(rate)
    if (delay > 0) this.#wait(delay)
    this.#turn += cost
    if (this.#turn >= MAX_COST_PER_TURN) this.#endTurn()
    return isPaid
  }

  end() {
    this.#ended = true
    clearTimeout(this.#timer)
    clearImmediate(this.#immediate)
  }

  #wait(delay: number) {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(this.#waited, Math.ceil(delay)).unref()
    this.#reading.pause()
  }

  #waited = () => {
    this.#timer = undefined
    if (!this.waits) this.#reading.resume()
  }

  #endTurn() {
    this.#turn = 0
    if (this.#immediate) return
    this.#immediate = setImmediate(this.#nextTurn)
    this.#reading.pause()
  }

  #nextTurn = () => {
    this.#immediate = undefined
    if (!this.waits) this.#reading.resume()
  }
}
