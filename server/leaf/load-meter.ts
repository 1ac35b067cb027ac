// The load of a leaf: what its Workers use of the cores of this host, in all and each.

import { EventEmitter } from 'node:events'
import { availableParallelism } from 'node:os'
import type * as ms from 'mediasoup/types'
import { IDLE, type Load, sameLoad } from '../../lib/load.ts'
import type { SurveyedWorker } from '../../lib/survey.ts'
import type { ObjectKind } from '../../lib/methods.ts'

const INTERVAL_MS = 1_000
const KIB = 1024

/** What a Worker uses. */
interface Use {
  readonly worker: ms.Worker
  readonly settings: SurveyedWorker['settings']
  /** The CPU time that it had used when it last answered, and when that was, in ms. */
  last?: { time: number; at: number }
  /** In hundredths, from its last answer but one to the last one. */
  cores?: number
  /** The most bytes that it had. */
  memory?: number
  /** It was asked, and has not answered yet. */
  asked: boolean
}

export type MeteredWorker = Pick<SurveyedWorker, 'pid' | 'cpu' | 'memory' | 'settings'>

export type LoadMeterEvents = {
  /** It changed; told at most once in an interval. */
  load: [load: Load]
  /** A real Worker has died by itself. */
  died: [pid: number]
  /** What the Workers use was measured; told once in an interval. */
  usage: []
}

export class LoadMeter extends EventEmitter<LoadMeterEvents> {
  readonly #counts = new Map<ObjectKind, number>()
  readonly #uses = new Map<number, Use>()
  #timer: NodeJS.Timeout | undefined
  readonly #capacity: number
  readonly #shared: boolean
  #told: Load | undefined
  #draining = false
  #died = 0

  /**
   * @param maxWorkers How many Workers this host is to have, if it is fewer than it has cores.
   * @param shared Whether sessions share them.
   */
  constructor(maxWorkers = Infinity, shared = false) {
    super()
    this.setMaxListeners(0) // Every session listens.
    this.#capacity = Math.min(availableParallelism(), maxWorkers)
    this.#shared = shared
  }

  get load(): Load {
    const [routers, consumers] = [this.count('Router'), this.count('Consumer')]
    if (this.#draining) return { ...IDLE, routers, consumers, draining: this.#uses.size }
    return {
      ...IDLE,
      capacity: this.#capacity,
      used: [...this.#uses.values()].reduce((total, { cores = 0 }) => total + cores, 0) / 100,
      workers: this.#uses.size,
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
    this.#tellLoad()
  }

  /** How many objects of a kind the sessions have. */
  count(kind: ObjectKind) {
    return this.#counts.get(kind) ?? 0
  }

  add(kind: ObjectKind) {
    this.#counts.set(kind, this.count(kind) + 1)
  }

  remove(kind: ObjectKind) {
    this.#counts.set(kind, this.count(kind) - 1)
  }

  /** A real Worker, until it is closed, and what it was made with. */
  addWorker(worker: ms.Worker, settings: ms.WorkerSettings = {}) {
    const { pid } = worker
    const use: Use = { worker, settings: toldOf(settings), asked: false }
    this.#uses.set(pid, use)
    worker.observer.once('close', () => {
      this.#uses.delete(pid)
      if (!worker.died) return
      this.#died++
      this.emit('died', pid)
    })
    void this.#measure(use)
    this.#timer ??= setInterval(() => void this.#measureAll(), INTERVAL_MS).unref()
  }

  /** How many Workers have died. */
  get died() {
    return this.#died
  }

  /** How many there are of each kind. */
  get counts(): ReadonlyMap<ObjectKind, number> {
    return this.#counts
  }

  /** How many cores each Worker uses that was measured. */
  get cores(): number[] {
    return [...this.#uses.values()].flatMap(({ cores }) => (cores === undefined ? [] : cores / 100))
  }

  /** How many cores a Worker uses; undefined while that is not known. */
  usageOf(pid: number): number | undefined {
    const { cores } = this.#uses.get(pid) ?? {}
    return cores === undefined ? undefined : cores / 100
  }

  /** What is known of each real Worker. */
  *workers(): Generator<MeteredWorker> {
    for (const [pid, { cores, memory, settings }] of this.#uses)
      yield { pid, cpu: cores === undefined ? undefined : cores / 100, memory, settings }
  }

  async #measureAll() {
    if (!this.#uses.size) {
      clearInterval(this.#timer)
      this.#timer = undefined
    }
    // One that does not answer keeps the others waiting once, and is not asked again before it has.
    await Promise.all(
      [...this.#uses.values()].filter(({ asked }) => !asked).map(use => this.#measure(use))
    )
    this.#tellLoad()
    this.emit('usage')
  }

  async #measure(use: Use) {
    use.asked = true
    try {
      const { ru_utime, ru_stime, ru_maxrss } = await use.worker.getResourceUsage()
      use.memory = ru_maxrss * KIB
      const { last } = use
      use.last = { time: ru_utime + ru_stime, at: performance.now() }
      if (last)
        use.cores = Math.round((100 * (use.last.time - last.time)) / (use.last.at - last.at))
    } catch {
      // It was closed in the meantime.
    } finally {
      use.asked = false
    }
  }

  #tellLoad() {
    const { load } = this
    if (this.#told && sameLoad(load, this.#told)) return
    this.#told = load
    this.emit('load', load)
  }
}

/** Paths of files are the host's own. */
const toldOf = ({
  logLevel,
  logTags,
  rtcMinPort,
  rtcMaxPort,
  libwebrtcFieldTrials
}: ms.WorkerSettings): SurveyedWorker['settings'] => ({
  logLevel,
  logTags,
  rtcMinPort,
  rtcMaxPort,
  libwebrtcFieldTrials
})
