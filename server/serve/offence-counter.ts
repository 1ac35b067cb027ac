// How often an address has done what it should not, in the last minute. It is bounded, whatever
// number of addresses there is.

import { LRUCache } from 'lru-cache'
import { networkOf } from './connection-counter.ts'

const WINDOW_MS = 60_000
const MAX_NETWORKS = 10_000

interface Window {
  begun: number
  count: number
}

export class OffenceCounter {
  readonly #windows = new LRUCache<string, Window>({ max: MAX_NETWORKS })

  /**
   * Counts one more. Answers how many there are in this window; and, with the first one, how many
   * there were in the window before.
   */
  add(address: string, now = performance.now()): { count: number; before: number } {
    const network = networkOf(address)
    const known = this.#windows.get(network)
    if (known && now - known.begun < WINDOW_MS) return { count: ++known.count, before: 0 }
    this.#windows.set(network, { begun: now, count: 1 })
    return { count: 1, before: known?.count ?? 0 }
  }
}
