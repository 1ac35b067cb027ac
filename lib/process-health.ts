// How the process is: since when it is there, its memory, and how late its event loop is.

import { monitorEventLoopDelay } from 'node:perf_hooks'

const MIB = 1024 ** 2
const RESOLUTION_MS = 20
// For less, the last one counts.
const LEAST_MS = 900

export interface Health {
  since: number
  memory: number
  eventLoopDelay: number
}

/** Measures while somebody wants to know. */
export class ProcessHealth {
  #histogram: ReturnType<typeof monitorEventLoopDelay> | undefined
  #readAt = 0
  #delay = 0

  start() {
    if (this.#histogram) return
    this.#histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
    this.#histogram.enable()
    this.#readAt = performance.now()
  }

  stop() {
    this.#histogram?.disable()
    this.#histogram = undefined
    this.#delay = 0
  }

  read(): Health {
    return {
      since: Math.round(performance.timeOrigin),
      memory: Math.round(process.memoryUsage.rss() / MIB) * MIB,
      eventLoopDelay: this.#readDelay()
    }
  }

  // A timer that is on time comes after its resolution.
  #readDelay(): number {
    const now = performance.now()
    if (!this.#histogram || now - this.#readAt < LEAST_MS) return this.#delay
    const late = this.#histogram.percentile(99) / 1e6 - RESOLUTION_MS
    this.#histogram.reset()
    this.#readAt = now
    this.#delay = Math.max(0, Math.round(late))
    return this.#delay
  }
}
