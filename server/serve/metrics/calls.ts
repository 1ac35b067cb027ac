// The calls of all sessions by method: how they ended, and how long that took. Integers that are
// there before the first call, because each call passes here.

import { LimitError, codes } from '../../../lib/errors.ts'
import type { CallHead, Head, Id } from '../../../lib/frame.ts'
import { methods } from '../../../lib/methods.ts'
import { tierMethods } from '../../../lib/tier-model.ts'
import type { CallWatch, WatchedCall } from '../call-watch.ts'
import { failureIn } from '../failure.ts'

/** In seconds: what was answered within each. */
export const BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
const BOUNDS_MS = BOUNDS.map(bound => bound * 1_000)

/**
 * - ok, error:  what it was answered with
 * - refused:    it was not passed on to the tier
 * - unanswered: its session ended first, or nobody waits any more
 */
export const OUTCOMES = ['ok', 'error', 'refused', 'unanswered'] as const

type Outcome = (typeof OUTCOMES)[number]

/** Of the model, and so of a number that is known. */
const NAMES: readonly string[] = [...methods.keys(), ...tierMethods.keys()]
const OTHER = 'other'

/** What codes of errors say of limits. */
const LIMITS: ReadonlyMap<number, string> = new Map(
  (['rate', 'inFlight', 'depth', 'objects', 'sessions', 'size', 'exhausted'] as const).map(name => [
    codes[name],
    name
  ])
)

export class MethodCounts implements Record<Outcome, number>, WatchedCall {
  /** All that went to the tier. */
  asked = 0
  ok = 0
  error = 0
  refused = 0
  unanswered = 0
  /** Of those that were answered, in ms. */
  sum = 0
  /** How many took as long as each bound and longer than the one before; the last is above all. */
  readonly buckets = new Float64Array(BOUNDS.length + 1)
  readonly #limits: Limits

  constructor(limits: Limits) {
    this.#limits = limits
  }

  answered(frame: string, id: Id, ms: number) {
    const code = failureIn(frame, id)
    if (code === undefined) this.ok++
    else {
      this.error++
      this.#limits.hit(code)
    }
    this.sum += ms
    let i = 0
    while (i < BOUNDS_MS.length && ms > BOUNDS_MS[i]!) i++
    this.buckets[i]!++
  }

  lost() {
    this.unanswered++
  }
}

/** How often each limit was met. */
export class Limits {
  readonly counts = new Map([...LIMITS.values()].map(name => [name, 0]))

  hit(code: number) {
    const name = LIMITS.get(code)
    if (name !== undefined) this.counts.set(name, this.counts.get(name)! + 1)
  }
}

export class CallCounts implements CallWatch {
  readonly limits = new Limits()
  readonly byMethod: ReadonlyMap<string, MethodCounts>
  /** Messages from clients, and to them. */
  messagesIn = 0
  messagesOut = 0

  constructor() {
    this.byMethod = new Map([...NAMES, OTHER].map(name => [name, new MethodCounts(this.limits)]))
  }

  received() {
    this.messagesIn++
  }

  sent() {
    this.messagesOut++
  }

  asked({ method }: CallHead): MethodCounts {
    const counts = this.#of(method)
    counts.asked++
    return counts
  }

  refused(head: Head | undefined, error: unknown) {
    this.#of(head?.method).refused++
    if (error instanceof LimitError) this.limits.hit(error.code)
  }

  #of(method: string | undefined): MethodCounts {
    return this.byMethod.get(method!) ?? this.byMethod.get(OTHER)!
  }
}
