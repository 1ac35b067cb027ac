// Rooms whose places are known here: they are answered while the store is away. Who asks for a room
// that is being asked for gets the same answer.

import { LRUCache } from 'lru-cache'
import type { Place } from '../store/store.ts'

// Some 200 bytes each.
const MAX_ROOMS = 100_000
// A room that nobody has asked for so long is not kept for when the store is away.
const LIFE_MS = 24 * 60 * 60 * 1_000

export class KnownRooms<Answer extends Place> {
  readonly #places = new LRUCache<string, Answer>({ max: MAX_ROOMS, ttl: LIFE_MS })
  readonly #asked = new Map<string, Promise<Answer | undefined>>()

  get(room: string): Answer | undefined {
    return this.#places.get(room)
  }

  set(place: Answer) {
    this.#places.set(place.room, place)
  }

  /** What was asked before is answered, and not to who asks from now on. */
  delete(room: string) {
    this.#asked.delete(room)
    this.#places.delete(room)
  }

  /** Asks the store for a room, once for all who want to know at once. */
  ask(room: string, ask: () => Promise<Answer | undefined>): Promise<Answer | undefined> {
    const asked = this.#asked.get(room)
    if (asked) return asked
    const asking = ask().then(
      place => {
        if (leave() && place) this.set(place)
        return place
      },
      error => {
        leave()
        throw error
      }
    )
    const leave = () => this.#asked.get(room) === asking && this.#asked.delete(room)
    this.#asked.set(room, asking)
    return asking
  }
}
