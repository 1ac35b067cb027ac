// Tiers that are far: what they say arrives when they have answered all that they were asked. So
// what is asked at once is one flight, and flights count round trips without a clock.

import { peekHeader } from '../../lib/frame-header.ts'
import { type Frame, type Link, type OpenOptions, type Tier, channel } from '../../lib/tier.ts'

export class Flights {
  /** How many have come back. */
  count = 0
  /** What was asked, by flights. */
  readonly asked: string[][] = []
  #inTheAir = 0
  #sent: string[] = []
  #hasAnswers = false
  #waiting: (() => void)[] = []

  /** The same tier, farther away. */
  away<T extends Tier>(tier: T): T {
    return Object.assign(Object.create(tier) as T, {
      open: async (options?: OpenOptions) => this.#carry(await tier.open(options))
    })
  }

  /** How many flights a call of an application waits for. */
  async during(call: () => Promise<unknown>): Promise<number> {
    this.asked.length = 0
    const before = this.count
    await call()
    return this.count - before
  }

  #carry(far: Link): Link {
    const [near, link] = channel()
    near.on('frame', (frame, head) => {
      const { id, method } = head ?? peekHeader(frame) ?? {}
      if (id != null) {
        this.#inTheAir++
        this.#sent.push(method!)
      }
      far.send(frame, head)
    })
    near.on('close', error => far.close(error))
    far.on('frame', frame => {
      if (isAnswer(frame)) {
        this.#inTheAir--
        this.#hasAnswers = true
      }
      this.#land(() => near.send(frame))
    })
    far.on('close', error => this.#land(() => near.close(error)))
    return link
  }

  #land(deliver: () => void) {
    this.#waiting.push(deliver)
    // What follows from the flight before, and leaves at once, is in the same one.
    setImmediate(() => {
      if (!this.#inTheAir) this.#arrive()
    })
  }

  #arrive() {
    if (this.#hasAnswers) {
      this.count++
      this.asked.push(this.#sent.splice(0))
    }
    this.#hasAnswers = false
    for (const deliver of this.#waiting.splice(0)) deliver()
  }
}

function isAnswer(frame: Frame) {
  const { id, method } = peekHeader(frame) ?? {}
  return id != null && method === undefined
}
