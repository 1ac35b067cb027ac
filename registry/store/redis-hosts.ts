// The hosts that are in Redis: read again when one has changed, and after each time that Redis could
// not be asked. Only what differs is told.

import { EventEmitter, on } from 'node:events'
import type { Host, HostChange, Hosts } from '../host.ts'
import { changesBetween } from './changes.ts'
import type { RefilledRedis } from './refilled-redis.ts'
import { StoreError } from './store.ts'
import { wakened } from './wakened.ts'

/** How often leases are looked at, and whether a change was missed, in ms. */
const LOOK_MS = 500

type Events = { change: [HostChange]; wake: [] }

export class RedisHosts implements Hosts {
  readonly #redis: RefilledRedis
  readonly #events = new EventEmitter<Events>().setMaxListeners(0)
  // Of which contents, and of which version of them, what is known is.
  #read = ''
  // The server may be another one, which lacks what was said last.
  #isNew = false

  constructor(redis: RefilledRedis) {
    this.#redis = redis
  }

  async *changes(signal: AbortSignal): AsyncGenerator<HostChange> {
    if (signal.aborted) return
    const changes = on(this.#events, 'change', { signal })
    const there = [...this.#redis.known.hosts.values()]
    try {
      for (const host of there) yield { host }
      for await (const [change] of changes) yield change
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }

  /** Something has changed, or may have. */
  look() {
    this.#events.emit('wake')
  }

  /** It is another connection than before. */
  reconnected() {
    this.#isNew = true
    this.look()
  }

  /** Looks until the signal ends it. */
  async watch(signal: AbortSignal) {
    while (!signal.aborted) {
      await this.#look().catch(ignoreAway)
      await wakened(this.#events, 'wake', LOOK_MS, signal)
    }
  }

  async #look() {
    if (this.#isNew) {
      await this.#redis.putBack()
      this.#isNew = false
      this.#read = ''
    }
    const version = await this.#redis.ask('sweep')
    if (this.#read !== this.#name(version)) await this.read()
  }

  /** All that are there now. */
  async read(): Promise<ReadonlyMap<string, Host>> {
    const [version, texts] = (await this.#redis.ask('hosts')) as [number, string[]]
    const hosts = texts.map(text => JSON.parse(text) as Host)
    const { known } = this.#redis
    const before = known.hosts
    known.hosts = new Map(hosts.map(host => [host.id, host]))
    this.#read = this.#name(version)
    for (const change of changesBetween(before, known.hosts)) this.#events.emit('change', change)
    return known.hosts
  }

  #name = (version: unknown) => `${this.#redis.generation} ${version}`
}

/** Nothing is known to have changed. */
function ignoreAway(error: unknown) {
  if (!(error instanceof StoreError)) throw error
}
