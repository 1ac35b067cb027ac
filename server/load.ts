// The load of a leaf: what its Workers use of the cores of this host.

import { availableParallelism } from 'node:os'
import type * as ms from 'mediasoup/types'
import { type Load, sameLoad } from '../lib/load.ts'
import type { Entry } from './entry.ts'

const INTERVAL_MS = 1_000

type Listener = (load: Load) => void

export class LoadMeter {
  readonly #counts = new Map<string, number>()
  // Each Worker with the CPU time, in ms, that it had used when it was last asked.
  readonly #workers = new Map<ms.Worker, number>()
  readonly #listeners = new Set<Listener>()
  #timer: NodeJS.Timeout | undefined
  #used = 0
  #told: Load | undefined

  get load(): Load {
    return {
      capacity: availableParallelism(),
      used: this.#used,
      workers: this.#workers.size,
      routers: this.#counts.get('Router') ?? 0,
      consumers: this.#counts.get('Consumer') ?? 0
    }
  }

  add({ kind, object }: Entry) {
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1)
    if (kind === 'Worker') this.#workers.set(object as unknown as ms.Worker, 0)
  }

  remove({ kind, object }: Entry) {
    this.#counts.set(kind, this.#counts.get(kind)! - 1)
    if (kind === 'Worker') this.#workers.delete(object as unknown as ms.Worker)
  }

  /** Tells the load when it changes, and not more often than once in an interval. It is measured only for somebody. */
  listen(listener: Listener) {
    this.#listeners.add(listener)
    this.#timer ??= setInterval(() => void this.#measure(), INTERVAL_MS).unref()
  }

  unlisten(listener: Listener) {
    this.#listeners.delete(listener)
    if (this.#listeners.size) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  async #measure() {
    const times = await Promise.all([...this.#workers.keys()].map(worker => this.#timeOf(worker)))
    const used = times.reduce((total, time) => total + time, 0) / INTERVAL_MS
    this.#used = Math.round(used * 100) / 100
    const { load } = this
    if (this.#told && sameLoad(load, this.#told)) return
    this.#told = load
    for (const listener of this.#listeners) listener(load)
  }

  /** CPU time since it was last asked. */
  async #timeOf(worker: ms.Worker): Promise<number> {
    const before = this.#workers.get(worker)
    try {
      const { ru_utime, ru_stime } = await worker.getResourceUsage()
      if (before === undefined || !this.#workers.has(worker)) return 0
      this.#workers.set(worker, ru_utime + ru_stime)
      return ru_utime + ru_stime - before
    } catch {
      return 0 // It was closed in the meantime.
    }
  }
}
