// What all sessions of a process may keep, together: for their peers, and with their objects. When
// that is too much, the session that keeps most ends.

import { totalmem } from 'node:os'
import { getHeapStatistics } from 'node:v8'
import { LimitError, codes } from './errors.ts'

export interface Holder {
  /** How many bytes it keeps. */
  readonly held: number
  /** Ends it, and lets go of them. */
  end(error: Error): void
}

// The sum is taken anew when this part of the budget was added: a text that waits may cost two
// bytes a character, and be copied.
const CHECKS = 32

export class Budget {
  readonly #max: number
  readonly #holders = new Set<Holder>()
  #added = 0

  /** @param max in bytes */
  constructor(max = defaultMemory()) {
    this.#max = max
  }

  /** How much of it is kept; 1 is all. */
  get used(): number {
    return this.#sum().sum / this.#max
  }

  /** Answers what ends it. */
  enter(holder: Holder): () => void {
    this.#holders.add(holder)
    return () => this.#holders.delete(holder)
  }

  /** One of them keeps so many bytes more. */
  add(bytes: number) {
    this.#added += bytes
    if (this.#added < this.#max / CHECKS) return
    this.#added = 0
    this.#check()
  }

  #check() {
    for (;;) {
      const { sum, most } = this.#sum()
      if (!most || sum <= this.#max) return
      this.#holders.delete(most)
      most.end(
        new LimitError(
          codes.inFlight,
          `all sessions together keep more than ${this.#max} bytes, and this one kept most: ${most.held}`
        )
      )
    }
  }

  #sum() {
    let sum = 0
    let most: Holder | undefined
    for (const holder of this.#holders) {
      const { held } = holder
      sum += held
      if (!most || held > most.held) most = holder
    }
    return { sum, most }
  }
}

// Texts are in the heap, bytes beside it; as much again is needed while they are read and written.
const defaultMemory = () =>
  Math.floor(
    Math.min(
      getHeapStatistics().heap_size_limit,
      process.constrainedMemory() || totalmem(),
      totalmem()
    ) / 4
  )
