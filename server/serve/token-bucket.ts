// A token bucket: `rate` in each second, and as many as come in `seconds` at once. What it is asked
// for may cost more than one, or a part of one.

// More is not owed: whoever has no rate to speak of would wait for ever.
const MAX_DEBT_SECONDS = 5

// Sums of parts are not exact.
const ROUNDING = 1e-6

export class TokenBucket {
  readonly #seconds: number
  #level: number
  #filled = performance.now()

  constructor(seconds = 1) {
    this.#seconds = this.#level = seconds
  }

  /**
   * Takes what may not be refused. Answers whether there was one left before; of 0 per second there
   * never is.
   */
  take(rate: number, cost = 1): boolean {
    this.#fill(rate)
    if (rate === 0) return false
    const hadOne = this.#level * rate >= 1 - ROUNDING
    this.#level = Math.max(-MAX_DEBT_SECONDS, this.#level - cost / rate)
    return hadOne
  }

  /** After what was taken last: how long it takes until there is one left, in ms, if any are owed. */
  wait(rate: number): number {
    return this.#level < -ROUNDING ? (1 / rate - this.#level) * 1000 : 0
  }

  // The level is in seconds, so that the rate may change.
  #fill(rate: number) {
    const now = performance.now()
    if (rate === 0) this.#level = 0
    else this.#level = Math.min(this.#seconds, this.#level + (now - this.#filled) / 1000)
    this.#filled = now
  }
}
