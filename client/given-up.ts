// Calls whose answers nobody waits for any more: an answer that comes all the same is late, and not
// wrong.

import { LRUCache } from 'lru-cache'
import type { Id } from '../lib/wire.ts'

// More than a session may have in flight by default; a tier gives up a call itself long before
// this.
const MAX_CALLS = 32_768
const KEPT_MS = 600_000

export class GivenUp {
  // Made when it is needed: it takes memory for all that it may hold, and most sessions never give
  // up a call.
  #calls: LRUCache<Id, true> | undefined

  add(id: Id) {
    this.#calls ??= new LRUCache({ max: MAX_CALLS, ttl: KEPT_MS })
    this.#calls.set(id, true)
  }

  /** Whether the call was given up; its answer comes once. */
  delete(id: Id): boolean {
    return this.#calls?.delete(id) ?? false
  }
}
