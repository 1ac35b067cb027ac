// Rooms of which one thing is asked at a time. Whoever finds none free waits.

import type { Random } from '../../conformance/fuzz/random.ts'

export class Rooms<R> {
  readonly #free: R[]
  readonly #waiting: ((room: R) => void)[] = []
  readonly #random: Random

  constructor(rooms: R[], random: Random) {
    this.#free = [...rooms]
    this.#random = random
  }

  /** Does something with one of those that are free. */
  async use(action: (room: R) => Promise<void>): Promise<void> {
    const room = await this.#take()
    try {
      await action(room)
    } finally {
      this.#give(room)
    }
  }

  #take(): R | Promise<R> {
    if (!this.#free.length) return new Promise(resolve => this.#waiting.push(resolve))
    const index = Math.floor(this.#random.next() * this.#free.length)
    const room = this.#free[index]!
    this.#free[index] = this.#free.at(-1)!
    this.#free.pop()
    return room
  }

  #give(room: R) {
    const next = this.#waiting.shift()
    if (next) next(room)
    else this.#free.push(room)
  }
}
