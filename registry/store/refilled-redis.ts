// A Redis that was emptied gets back what this process knows, before it is asked anything else.

import { randomUUID } from 'node:crypto'
import { canonical } from './changes.ts'
import { Memories } from './memories.ts'
import type { ScriptName } from './redis-client.ts'
import type { RedisConnection } from './redis-connection.ts'
import { type Place, StoreError } from './store.ts'

/** How many rooms are in one script. */
const CHUNK = 200
/** Beside a third of a lease, how long new places wait for others that know some, in ms. */
const OTHERS_MS = 1_000

export class RefilledRedis {
  readonly known = new Memories()
  readonly #redis: RedisConnection
  // What a store without a generation is given.
  readonly #next = randomUUID()
  #generation = ''
  #refilling: Promise<void> | undefined

  constructor(redis: RedisConnection) {
    this.#redis = redis
  }

  /** Which contents of Redis this process knows. */
  get generation() {
    return this.#generation
  }

  /** @throws StoreError when Redis cannot be asked, or is to be refilled by others first. */
  async ask(script: ScriptName, ...args: (string | number)[]): Promise<unknown> {
    let generation: string | undefined
    for (;;) {
      try {
        if (generation !== undefined && generation !== this.#generation)
          await this.#refill(generation)
        return await this.#redis.run(script, [this.#generation, this.#next, ...args.map(String)])
      } catch (error) {
        generation = generationIn(error)
        if (generation === undefined) throw error
      }
    }
  }

  /** Each of the rooms that this process knows, or of others, where Redis has none or an older one. */
  async putBack(places: Iterable<Place> = this.known.places.values()) {
    for (const chunk of argumentsOf(places)) await this.ask('putBack', ...chunk)
  }

  #refill(generation: string): Promise<void> {
    this.#refilling ??= this.#restore(generation).finally(() => {
      this.#refilling = undefined
    })
    return this.#refilling
  }

  async #restore(generation: string) {
    if (this.#generation !== '') {
      const { hosts, places, leads, lease } = this.known
      const run = (script: ScriptName, ...args: (string | number)[]) =>
        this.#redis.run(script, [generation, '', ...args.map(String)])
      const there = [...hosts.values()].flatMap(host => [host.id, canonical(host)])
      await run('restore', Math.ceil(lease / 3) + OTHERS_MS, lease, ...there)
      for (const chunk of argumentsOf(places.values())) await run('putBack', ...chunk)
      for (const [task, { registry, lease }] of leads) await run('leadAgain', task, registry, lease)
    }
    this.#generation = generation
  }
}

/** Of scripts that put rooms back. */
function argumentsOf(places: Iterable<Place>): (string | number)[][] {
  const all = [...places]
  return Array.from({ length: Math.ceil(all.length / CHUNK) }, (_, index) =>
    all
      .slice(index * CHUNK, (index + 1) * CHUNK)
      .flatMap(({ room, host, epoch }) => [room, host, epoch])
  )
}

/** That of a store which is another one than this process knows. */
const generationIn = (error: unknown): string | undefined =>
  error instanceof StoreError ? /^GENERATION (\S+)/.exec(error.message)?.[1] : undefined
