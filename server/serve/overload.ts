// Whether the process is near the end of its memory. Then it takes no new sessions, so that those
// that it has go on.

import { getHeapStatistics } from 'node:v8'
import type { Logger } from 'pino'
import type { Budget } from '../../lib/budget.ts'

const LOOK_MS = 1_000
// A look is not worth more often than that.
const FRESH_MS = 50
const [BEGIN, END] = [0.9, 0.8]

export class Overload {
  readonly #budget: Budget
  readonly #logger: Logger
  readonly #timer: NodeJS.Timeout
  #reason: string | undefined
  #looked = -Infinity

  constructor(budget: Budget, logger: Logger) {
    this.#budget = budget
    this.#logger = logger
    this.#timer = setInterval(() => this.#look(), LOOK_MS).unref()
  }

  /** Why no new sessions are taken, if that is so. */
  get reason(): string | undefined {
    if (performance.now() - this.#looked >= FRESH_MS) this.#look()
    return this.#reason
  }

  end() {
    clearInterval(this.#timer)
  }

  #look() {
    this.#looked = performance.now()
    const before = this.#reason
    this.#reason = this.#find(before ? END : BEGIN)
    if (this.#reason && !before) this.#logger.warn({ reason: this.#reason }, 'overloaded')
    if (!this.#reason && before) this.#logger.warn('not overloaded any more')
  }

  #find(bound: number): string | undefined {
    if (this.#budget.used >= bound) return 'its sessions keep nearly all of --max-memory'
    const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics()
    return used / limit >= bound ? 'its heap is nearly full' : undefined
  }
}
