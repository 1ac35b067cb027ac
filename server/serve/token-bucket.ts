// A token bucket: `rate` in each second, and as many at once.

export class TokenBucket {
  #level = 1
  #filled = performance.now()

  /** Whether there was one left; of 0 per second there never is. */
  take(rate: number): boolean {
    this.#fill(rate)
    if (this.#level * rate < 1) return false
    this.#level -= 1 / rate
    return true
  }

  /** Takes one that may not be refused. Answers how long to wait before more is taken, in ms. */
  owe(rate: number): number {
    this.#fill(rate)
    this.#level -= 1 / rate
    return Math.max(0, -this.#level * 1000)
  }

  // The level is in seconds, so that the rate may change.
  #fill(rate: number) {
    const now = performance.now()
    if (rate === 0) this.#level = 0
    else this.#level = Math.min(1, this.#level + (now - this.#filled) / 1000)
    this.#filled = now
  }
}
