// The load of the tier below, for all sessions of a vertical tier: heard on one session of its own,
// which is there while any of them is.

import { EventEmitter } from 'node:events'
import { Child } from '../horizontal/child.ts'
import { IDLE, type Load } from '../../lib/load.ts'
import type { Tier } from '../../lib/tier.ts'

const TIMEOUT_MS = 30_000

export class TierLoad extends EventEmitter<{ load: [load: Load] }> {
  readonly #tier: Tier
  readonly #node: string
  #sessions = 0
  #below: { child: Child; known: Promise<void> } | undefined

  constructor(tier: Tier, node: string) {
    super()
    this.setMaxListeners(0) // Every session may listen.
    this.#tier = tier
    this.#node = node
  }

  /** As it was told last, with the Workers that it did not count yet. */
  get load(): Load {
    const { load = IDLE, promised = 0 } = this.#below?.child ?? {}
    return { ...load, workers: load.workers + promised }
  }

  /** The tier below, while there are sessions. */
  get below(): Child[] {
    return this.#below ? [this.#below.child] : []
  }

  /** A Worker is on its way; what is returned must be told once whether it was made. */
  place() {
    return this.#below!.child.place()
  }

  /** For one more session. Resolves when the load is known, or cannot be. */
  join(): Promise<void> {
    this.#sessions++
    this.#below ??= this.#watch()
    return this.#below.known
  }

  leave() {
    if (--this.#sessions) return
    this.#below?.child.remove()
    this.#below = undefined
  }

  #watch() {
    const child = new Child(this.#tier, () => [this.#node], TIMEOUT_MS)
    let told = child.load
    child.on('load', () => {
      if (child.load === told) return // Not told by the tier: a Worker was placed there.
      told = child.load
      this.emit('load', this.load)
    })
    const known = new Promise<void>(resolve => {
      for (const event of ['answered', 'failed'] as const) child.once(event, () => resolve())
    })
    void child.watch()
    return { child, known }
  }
}
