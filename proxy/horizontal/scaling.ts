// How many hosts a cluster wants: decided again and again by what its children tell.

import { EventEmitter } from 'node:events'
import { checkDurations } from '../../lib/duration.ts'
import type { Load } from '../../lib/load.ts'
import type { ScaledHost, Wanted } from '../../lib/wanted.ts'
import { PROMISED_CORES } from '../placement/most-free.ts'
import { scale } from '../placement/scale.ts'
import { SCALE_DEFAULTS, type ScaleOptions } from '../placement/scale-options.ts'
import { beginScaling } from '../placement/scale-state.ts'
import type { Child } from './child.ts'

export class Scaling extends EventEmitter<{
  wanted: [wanted: Wanted, before: Wanted | undefined]
}> {
  readonly #options: ScaleOptions
  readonly #children: () => Iterable<Child>
  readonly #timer: NodeJS.Timeout
  // Of children that drain: what they told before.
  readonly #before = new WeakMap<Child, Load>()
  readonly #givenBack = new WeakSet<Child>()
  #state = beginScaling(performance.now())
  // Workers that no child took since the last decision, by who asked for them.
  readonly #refused = new Map<object, number>()
  #wanted: Wanted | undefined

  constructor(children: () => Iterable<Child>, options: Partial<ScaleOptions>) {
    super()
    this.#options = checked({ ...SCALE_DEFAULTS, ...definedOf(options) })
    this.#children = children
    this.#timer = setInterval(() => this.#decide(), this.#options.interval).unref()
  }

  get wanted() {
    return this.#wanted
  }

  /** No child took a Worker, and so many are waited for: who asks again is counted once. */
  refused(by: object, count: number) {
    this.#refused.set(by, Math.max(count, this.#refused.get(by) ?? 0))
  }

  /** A child drains because it is to be given back, or does not any more. */
  setGivenBack(child: Child, isGivenBack: boolean) {
    if (isGivenBack) this.#givenBack.add(child)
    else this.#givenBack.delete(child)
  }

  /** Children of which a load was told: that are up, have lost their connection, or drain. */
  get hosts(): ScaledHost[] {
    return [...this.#children()].filter(({ isUp }) => isUp).map(child => this.#hostOf(child))
  }

  close() {
    clearInterval(this.#timer)
  }

  #hostOf(child: Child): ScaledHost {
    const { keyName: name, load, promised, lost } = child
    // A host says that it drains by having no cores.
    const draining = load.capacity === 0
    if (!draining) this.#before.set(child, load)
    const { capacity, used, workers, shared } = this.#before.get(child) ?? load
    const left = draining ? load.draining : workers
    return {
      name,
      capacity,
      used: draining ? (workers ? used * (left / workers) : 0) : used + promised * PROMISED_CORES,
      workers: left + promised,
      shared: shared > 0,
      known: !lost,
      draining,
      givenBack: draining && this.#givenBack.has(child)
    }
  }

  #decide() {
    const before = this.#wanted
    const unreachable = [...this.#children()].filter(({ isUp }) => !isUp)
    const { state, wanted } = scale(
      this.#state,
      {
        hosts: this.hosts,
        unreachable: unreachable.map(({ keyName }) => keyName),
        refused: [...this.#refused.values()].reduce((sum, count) => sum + count, 0),
        at: performance.now()
      },
      this.#options
    )
    this.#state = state
    this.#wanted = wanted
    this.#refused.clear()
    this.emit('wanted', wanted, before)
  }
}

/** Whether somebody has to do something, or what was done is there. */
export const differs = (one: Wanted, other: Wanted | undefined) =>
  one.hosts !== other?.hosts || one.now !== other.now || one.starting !== other.starting

function checked(options: ScaleOptions): ScaleOptions {
  const { target, spare, min, max, quiet, startTimeout, settle, interval } = options
  checkDurations({ quiet, startTimeout, settle })
  checkDurations({ interval }, 1)
  if (!(target > 0 && target <= 1))
    throw new RangeError(`target must be above 0 and at most 1 (got ${target})`)
  if (!(spare >= 0)) throw new RangeError(`spare must be at least 0 cores (got ${spare})`)
  if (!(min >= 0 && min <= max))
    throw new RangeError(`min must be from 0 to max (got ${min} and ${max})`)
  return options
}

const definedOf = <T extends object>(options: T) =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T
