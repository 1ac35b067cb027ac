// The real Workers of a leaf, as they are told in a survey: whose they are, what they use, and, for
// some seconds, that they have died.

import type * as ms from 'mediasoup/types'
import type { Handle } from '../../lib/frame.ts'
import type { SurveyedWorker } from '../../lib/survey.ts'
import type { LoadMeter } from './load-meter.ts'
import type { ServedObject } from './served-object.ts'

const DIED_MS = 10_000

/** A Worker of a session. */
export interface OwnedWorker {
  worker: ServedObject
  /** The id of the session. */
  session: string
}

export class SurveyedWorkers {
  readonly #node: string
  readonly #meter: LoadMeter
  readonly #died = new Map<string, { entry: SurveyedWorker; until: number }>()
  // By pid.
  #told = new Map<number, SurveyedWorker>()

  /** @param onDied is told after one has died */
  constructor(node: string, meter: LoadMeter, onDied: () => void) {
    this.#node = node
    this.#meter = meter
    meter.on('died', pid => {
      const entry = this.#told.get(pid)
      if (!entry) return
      const until = performance.now() + DIED_MS
      this.#died.set(entry.id, { entry: { ...entry, died: true }, until })
      onDied()
    })
  }

  /** Looks at what there is. Answers the ids of sessions' Workers, by their handles. */
  update(owned: Iterable<OwnedWorker>): Map<Handle, string> {
    const ids = new Map<Handle, string>()
    const known = new Map<number, { id: string; sessions: string[] }>()
    for (const { worker, session } of owned) {
      const { pid } = worker.object as unknown as ms.Worker
      const id = worker.share ? this.#idOf(pid) : worker.handle
      ids.set(worker.handle, id)
      const { sessions } = known.get(pid) ?? { sessions: [] }
      known.set(pid, { id, sessions: [...sessions, session] })
    }
    this.#told = new Map()
    for (const { pid, ...measured } of this.#meter.workers()) {
      // One that waits for sessions has none.
      const { id, sessions } = known.get(pid) ?? { id: this.#idOf(pid), sessions: [] }
      this.#told.set(pid, { id, of: this.#node, kind: 'Worker', pid, ...measured, sessions })
    }
    return ids
  }

  *entries(): Generator<SurveyedWorker> {
    const now = performance.now()
    yield* this.#told.values()
    for (const [id, { entry, until }] of this.#died) {
      if (until < now) this.#died.delete(id)
      else yield entry
    }
  }

  clear() {
    this.#told.clear()
    this.#died.clear()
  }

  #idOf(pid: number) {
    return `${this.#node}/worker/${pid}`
  }
}
