// Wrong tokens and wrong secrets of sessions are answered later when an address has sent many. Right
// ones never wait: whoever shares the address with a guesser comes in as before.

import { setTimeout } from 'node:timers/promises'
import { OffenceCounter } from './offence-counter.ts'

// In a minute, of an address.
const MAX_PROMPT = 20
const DELAY_MS = 1_000
const MAX_WAITING = 256

export class Guesses {
  readonly #counter = new OffenceCounter()
  #waiting = 0

  /** Counts one of an address, and resolves when it may be answered. */
  async wait(address: string) {
    if (this.#counter.add(address).count <= MAX_PROMPT || this.#waiting >= MAX_WAITING) return
    this.#waiting++
    await setTimeout(DELAY_MS, undefined, { ref: false })
    this.#waiting--
  }
}
