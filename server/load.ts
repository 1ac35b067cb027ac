// The load of a leaf: what its Workers use of the cores of this host.

import { availableParallelism } from 'node:os'
import type * as ms from 'mediasoup/types'
import { IDLE, type Load, sameLoad } from '../lib/load.ts'
import type { ObjectKind } from '../lib/methods.ts'
import type { Entry } from './entry.ts'

const INTERVAL_MS = 1_000

type Listener = (load: Load) => void

export class LoadMeter {
  readonly #counts = new Map<string, number>()
  // Each Worker with the CPU time, in ms, that it had used when it was last asked.
  readonly #workers = new Map<ms.Worker, number>()
  readonly #listeners = new Set<Listener>()
  #timer: NodeJS.Timeout | undefined
  readonly #capacity: number
  readonly #shared: boolean
  #used = 0
  #told: Load | undefined
  #draining = false

  /**
   * @param maxWorkers How many Workers this host is to have, if not as many as it has cores.
   * @param shared Whether sessions share them.
   */
  constructor(maxWorkers = Infinity, shared = false) {
    this.#capacity = Math.min(availableParallelism(), maxWorkers)
    this.#shared = shared
  }

  get load(): Load {
    const [routers, consumers] = [this.count('Router'), this.count('Consumer')]
    if (this.#draining) return { ...IDLE, routers, consumers, draining: this.#workers.size }
    return {
      ...IDLE,
      capacity: this.#capacity,
      used: this.#used,
      workers: this.#workers.size,
      shared: this.#shared ? this.#capacity : 0,
      routers,
      consumers
    }
  }

  get draining() {
    return this.#draining
  }

  /** Told at once, so that nothing more is placed here. */
  set draining(draining: boolean) {
    this.#draining = draining
    this.#tell()
  }

  /** How many objects of a kind the sessions have. */
  count(kind: ObjectKind) {
    return this.#counts.get(kind) ?? 0
  }

  add({ kind }: Entry) {
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1)
  }

  remove({ kind }: Entry) {
    this.#counts.set(kind, this.#counts.get(kind)! - 1)
  }

  /** A real Worker, until it is closed. */
  addWorker(worker: ms.Worker) {
    this.#workers.set(worker, 0)
    worker.observer.once('close', () => this.#workers.delete(worker))
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
    this.#tell()
  }

  #tell() {
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
