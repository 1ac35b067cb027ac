// A host that is to end: it refuses new Workers and Routers, and says when it is empty, or when its
// time is over.

import { EventEmitter } from 'node:events'
import type { DrainOptions, DrainState } from '../../lib/drain.ts'
import { checkDurations } from '../../lib/duration.ts'
import { DrainingError } from '../../lib/errors.ts'
import type { LoadMeter } from './load-meter.ts'

const CHECK_MS = 200

export type DrainEvents = {
  /** It begins, has another deadline, or was cancelled. */
  change: []
  /** Less is left than before, or it is over. */
  progress: [state: DrainState]
  /** The host may end: it is empty, or has to. */
  end: [reason: 'empty' | 'deadline']
}

// What would begin something that is to be moved at once.
const REFUSED: ReadonlySet<string> = new Set(['createWorker', 'createRouter'])

export class Drain extends EventEmitter<DrainEvents> {
  readonly #meter: LoadMeter
  #timer: NodeJS.Timeout | undefined
  #due: number | undefined
  #ended: DrainState['ended']
  #told = ''

  constructor(meter: LoadMeter) {
    super()
    this.setMaxListeners(0) // Every session listens.
    this.#meter = meter
  }

  /** The deadline, in ms since 1970. */
  get due(): number | undefined {
    return this.#due === undefined ? undefined : Math.round(performance.timeOrigin + this.#due)
  }

  get state(): DrainState {
    const { routers, consumers } = this.#meter.load
    return {
      draining: this.#meter.draining,
      workers: this.#meter.count('Worker'),
      routers,
      consumers,
      ...(this.#due !== undefined && {
        deadline: Math.max(0, Math.round(this.#due - performance.now()))
      }),
      ...(this.#ended && { ended: this.#ended })
    }
  }

  /**
   * Begins, or goes on with another deadline.
   *
   * @throws RangeError for a deadline that is none.
   */
  start({ deadline }: DrainOptions = {}) {
    checkDurations({ deadline })
    if (this.#isOver) return
    this.#ended = undefined
    if (deadline !== undefined) this.#due = performance.now() + deadline
    this.#meter.draining = true
    this.#timer ??= setInterval(() => this.#check(), CHECK_MS).unref()
    this.emit('change')
  }

  /** @throws Error when it is over. */
  cancel() {
    if (this.#isOver) throw new Error('the drain is over, and the host ends')
    if (!this.#timer) return
    this.#due = undefined
    this.#stop('cancelled')
    this.#meter.draining = false
    this.emit('change')
    this.emit('progress', this.state)
  }

  /** @throws DrainingError for what the host takes no more. */
  check(member: string) {
    if (this.#meter.draining && REFUSED.has(member))
      throw new DrainingError(`${member}() is refused, because the host drains`)
  }

  get #isOver() {
    return this.#ended === 'empty' || this.#ended === 'deadline'
  }

  #check() {
    const { workers, deadline } = this.state
    const reason = workers === 0 ? 'empty' : deadline === 0 ? 'deadline' : undefined
    if (reason) this.#stop(reason)
    this.#tell()
    // What was told leaves first.
    if (reason) setImmediate(() => this.emit('end', reason))
  }

  #tell() {
    const { deadline, ...left } = this.state
    const told = JSON.stringify(left)
    if (told === this.#told) return
    this.#told = told
    this.emit('progress', this.state)
  }

  #stop(reason: DrainState['ended']) {
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#ended = reason
  }
}
