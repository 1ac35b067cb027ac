// What a registry knows of a store, so that it can put it back where the store has lost it.

import { LRUCache } from 'lru-cache'
import type { Host } from '../host.ts'
import type { Place } from './store.ts'

/** Of more rooms, those that were asked for last. */
const MAX_ROOMS = 100_000
/** Until one is known, in ms. */
const LEASE_MS = 30_000

export class Memories {
  /** Those that are there. */
  hosts = new Map<string, Host>()
  readonly places = new LRUCache<string, Place>({ max: MAX_ROOMS })
  /** The tasks that registries of this process lead. */
  readonly leads = new Map<string, { registry: string; lease: number }>()
  /** What was last told of subjects. */
  readonly told = new LRUCache<string, string>({ max: MAX_ROOMS })
  #lease = 0

  /** The longest that hosts have: after a third of it they say again that they are there. */
  get lease() {
    return this.#lease || LEASE_MS
  }

  leased(lease: number) {
    this.#lease = Math.max(this.#lease, lease)
  }
}
