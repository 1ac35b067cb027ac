// What a Worker below uses of its core, and what was promised to it since that was measured.

import { expectedLoad } from '../placement/expected-load.ts'

// Longer than it takes until a measurement covers what was promised.
const SETTLING_MS = 1_500

export class WorkerLoad {
  /** How many transports and Consumers are on it. */
  objects = 0
  /** In cores, as it was told last: what was not measured yet counts for nothing. */
  used = 0
  // How many objects `used` is of.
  #measured = 0
  // What was promised in this interval, and in the one before.
  #promised = 0
  #settling = 0
  #since = performance.now()

  /** As a share of a core. */
  get value(): number {
    this.#turn()
    return this.used + this.#settling + this.#promised
  }

  /** Reserves what one more transport or Consumer will cost, until a measurement covers it. */
  promise() {
    this.#turn()
    this.#promised += expectedLoad({ used: this.used, objects: this.#measured })
  }

  #turn() {
    const elapsed = performance.now() - this.#since
    if (elapsed < SETTLING_MS) return
    this.#settling = elapsed < 2 * SETTLING_MS ? this.#promised : 0
    this.#promised = 0
    this.#measured = this.objects
    this.#since += elapsed
  }
}
