// Rooms whose host is gone, and those that were removed, keep their epoch for a while. Then they are
// forgotten, by one registry for all.

import { randomUUID } from 'node:crypto'
import { setTimeout as setTimeoutPromise } from 'node:timers/promises'
import type { RedisConnection } from './redis-connection.ts'
import type { RefilledRedis } from './refilled-redis.ts'
import { StoreError, type StoreOptions } from './store.ts'

/** How many rooms are in one script. */
const CHUNK = 200

export class TidyRooms {
  readonly #connection: RedisConnection
  readonly #redis: RefilledRedis
  readonly #life: number
  readonly #every: number
  readonly #name = randomUUID()

  constructor(
    connection: RedisConnection,
    redis: RefilledRedis,
    { epochLife, tidyEvery }: Required<StoreOptions>
  ) {
    this.#connection = connection
    this.#redis = redis
    this.#life = epochLife
    this.#every = tidyEvery
  }

  async watch(signal: AbortSignal) {
    for (;;) {
      await setTimeoutPromise(this.#every, undefined, { signal, ref: false }).catch(() => {})
      if (signal.aborted) return
      await this.#tidy().catch((error: unknown) => {
        if (!(error instanceof StoreError)) throw error
      })
    }
  }

  async #tidy() {
    // The one that was first last time is it again, as long as it is there.
    if ((await this.#redis.ask('lead', 'tidy', this.#name, 1.5 * this.#every)) !== 1) return
    let rooms: string[] = []
    for await (const [room] of this.#connection.entries('mafalda:rooms')) {
      rooms.push(room)
      if (rooms.length < CHUNK) continue
      await this.#redis.ask('tidy', this.#life, ...rooms)
      rooms = []
    }
    if (rooms.length) await this.#redis.ask('tidy', this.#life, ...rooms)
  }
}
