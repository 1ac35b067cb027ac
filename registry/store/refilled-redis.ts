// A Redis that was emptied gets back what this process knows, before it is asked anything else.

import { randomUUID } from 'node:crypto'
import { canonical } from './changes.ts'
import { Memories } from './memories.ts'
import type { ScriptName } from './redis-client.ts'
import type { RedisConnection } from './redis-connection.ts'
import { type Place, StoreError } from './store.ts'

/** How many of them are in one script. */
const CHUNK = 200
/** Beside a third of a lease, how long new places wait for others that know some, in ms. */
const OTHERS_MS = 1_000

export class RefilledRedis {
  readonly known = new Memories()
  readonly #redis: RedisConnection
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
        // A store without a generation gets one that nobody has seen.
        const known = [this.#generation, randomUUID()]
        return await this.#redis.run(script, [...known, ...args.map(String)])
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
      const { hosts, places, told, leads, lease } = this.known
      const run = (script: ScriptName, ...args: (string | number)[]) =>
        this.#redis.run(script, [generation, '', ...args.map(String)])
      const there = [...hosts.values()].flatMap(host => [host.id, canonical(host)])
      await run('restore', Math.ceil(lease / 3) + OTHERS_MS, lease, ...there)
      for (const chunk of argumentsOf(places.values())) await run('putBack', ...chunk)
      for (const chunk of chunksOf([...told.entries()])) await run('toldAgain', ...chunk.flat())
      for (const [task, { registry, lease }] of leads) await run('leadAgain', task, registry, lease)
    }
    this.#generation = generation
  }
}

/** Of scripts that put rooms back. */
const argumentsOf = (places: Iterable<Place>) =>
  chunksOf([...places].map(({ room, host, epoch }) => [room, host, epoch])).map(chunk =>
    chunk.flat()
  )

const chunksOf = <T>(items: readonly T[]): T[][] =>
  Array.from({ length: Math.ceil(items.length / CHUNK) }, (_, index) =>
    items.slice(index * CHUNK, (index + 1) * CHUNK)
  )

/** That of a store which is another one than this process knows. */
const generationIn = (error: unknown): string | undefined =>
  error instanceof StoreError ? /^GENERATION (\S+)/.exec(error.message)?.[1] : undefined
