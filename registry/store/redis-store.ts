// The store of registries that share a Redis. Redis away is an error for who asks, and no change of
// hosts; Redis that comes back empty gets back what its registries know.

import { EventEmitter } from 'node:events'
import type { Host, HostChange } from '../host.ts'
import { canonical } from './changes.ts'
import { RedisConnection } from './redis-connection.ts'
import { RedisHosts } from './redis-hosts.ts'
import { checkRedisUrl } from './redis-url.ts'
import { RefilledRedis } from './refilled-redis.ts'
import {
  type Assignment,
  type Place,
  type Store,
  type StoreOptions,
  type StoredEvent,
  StoreError,
  storeDefaults
} from './store.ts'
import { TidyRooms } from './tidy-rooms.ts'
import { wakened } from './wakened.ts'

/** How often a reader of events looks whether it has missed that there is one, in ms. */
const LOOK_MS = 500

export interface RedisStoreOptions extends StoreOptions {
  /** Redis cannot be asked. */
  onAway?: (error: Error) => void
  /** Redis can be asked, again or for the first time. */
  onBack?: () => void
}

/**
 * Settles when Redis is connected, or could not be reached for the first time: it is tried for ever.
 *
 * @throws TypeError for a URL that is not one of a Redis
 */
export async function openRedisStore(url: string, options: RedisStoreOptions = {}): Promise<Store> {
  checkRedisUrl(url)
  const store = new RedisStore(url, options)
  await store.open()
  return store
}

class RedisStore implements Store {
  readonly #connection: RedisConnection
  readonly #redis: RefilledRedis
  readonly #hosts: RedisHosts
  readonly #tidy: TidyRooms
  readonly #events = new EventEmitter<{ event: [] }>().setMaxListeners(0)
  readonly #closed = new AbortController()
  readonly #epochLife: number

  constructor(url: string, { onAway, onBack, ...rest }: RedisStoreOptions) {
    const options = { ...storeDefaults, ...rest }
    this.#epochLife = options.epochLife
    this.#connection = new RedisConnection(url)
    this.#redis = new RefilledRedis(this.#connection)
    this.#hosts = new RedisHosts(this.#redis)
    this.#tidy = new TidyRooms(this.#connection, this.#redis, options)
    this.#connection.on('message', message => {
      if (message === 'events') this.#events.emit('event')
      else this.#hosts.look()
    })
    this.#connection.on('ready', () => {
      this.#hosts.reconnected()
      onBack?.()
    })
    this.#connection.on('away', error => onAway?.(error))
  }

  async open() {
    await this.#connection.open()
    void this.#hosts.watch(this.#closed.signal)
    void this.#tidy.watch(this.#closed.signal)
  }

  changes(signal: AbortSignal): AsyncIterable<HostChange> {
    return this.#hosts.changes(signal)
  }

  async hosts() {
    return [...(await this.#hosts.read()).values()]
  }

  async register(host: Host, lease: number, rooms: readonly Place[] = []) {
    this.#redis.known.leased(lease)
    await this.#redis.ask('register', host.id, canonical(host), lease)
    await this.#redis.putBack(rooms)
  }

  async unregister(host: string) {
    await this.#redis.ask('unregister', host)
  }

  async hold(host: string, registry: string, lease: number) {
    this.#redis.known.leased(lease)
    await this.#redis.ask('hold', host, registry, lease)
  }

  async release(host: string, registry: string) {
    await this.#redis.ask('release', host, registry)
  }

  async assign(room: string, candidates: readonly string[]): Promise<Assignment | undefined> {
    const answer = await this.#redis.ask('assign', room, ...candidates)
    if (!answer) return undefined
    const [host, epoch, isNew] = answer as [string, number, number]
    return { ...this.#learn({ room, host, epoch }), isNew: isNew === 1 }
  }

  async place(room: string) {
    const answer = await this.#redis.ask('place', room)
    if (answer) return this.#learn(placeOf(room, answer))
    this.#redis.known.places.delete(room)
    return undefined
  }

  async *places(): AsyncGenerator<Place> {
    const hosts = await this.#hosts.read()
    for await (const [room, record] of this.#connection.entries('mafalda:rooms')) {
      const [epoch, host] = record.split(' ') as [string, string]
      if (hosts.has(host)) yield this.#learn({ room, host, epoch: Number(epoch) })
    }
  }

  async remove(room: string) {
    const answer = await this.#redis.ask('remove', room, this.#epochLife)
    this.#redis.known.places.delete(room)
    return answer ? placeOf(room, answer) : undefined
  }

  async publish(subject: string, body: string) {
    await this.#redis.ask('publish', subject, body)
  }

  async *events(
    reader: string,
    patience: number,
    signal: AbortSignal
  ): AsyncGenerator<StoredEvent> {
    const ended = AbortSignal.any([signal, this.#closed.signal])
    while (!ended.aborted) {
      const event = await this.#take(reader, patience)
      if (event) yield event
      else await wakened(this.#events, 'event', LOOK_MS, ended)
    }
  }

  /** The next one; none while Redis is away. */
  async #take(reader: string, patience: number): Promise<StoredEvent | undefined> {
    const answer = await this.#redis.ask('take', reader, patience).catch((error: unknown) => {
      if (!(error instanceof StoreError)) throw error
    })
    if (!answer) return undefined
    const [subject, event] = answer as [string, string]
    const space = event.indexOf(' ')
    return { subject, id: event.slice(0, space), body: event.slice(space + 1) }
  }

  async keep(reader: string, { subject, id }: StoredEvent) {
    await this.#redis.ask('keep', reader, subject, id)
  }

  async settle({ subject, id, body }: StoredEvent) {
    await this.#redis.ask('settle', subject, id, body)
  }

  async tell(subject: string, state: string | undefined, body: string, first = body) {
    const states = state === undefined ? [] : [state]
    const isNew = (await this.#redis.ask('tell', subject, body, first, ...states)) === 1
    if (state === undefined) this.#redis.known.told.delete(subject)
    else this.#redis.known.told.set(subject, state)
    return isNew
  }

  async told(prefix: string) {
    const states = new Map<string, string>()
    for await (const [subject, state] of this.#connection.entries('mafalda:told'))
      if (subject.startsWith(prefix)) states.set(subject, state)
    return states
  }

  async lead(task: string, registry: string, lease: number) {
    const { leads } = this.#redis.known
    const isLeader = (await this.#redis.ask('lead', task, registry, lease)) === 1
    if (isLeader) leads.set(task, { registry, lease })
    else if (leads.get(task)?.registry === registry) leads.delete(task)
    return isLeader
  }

  async close() {
    this.#closed.abort()
    this.#connection.close()
  }

  #learn(place: Place): Place {
    this.#redis.known.places.set(place.room, place)
    return place
  }
}

function placeOf(room: string, answer: unknown): Place {
  const [host, epoch] = answer as [string, number]
  return { room, host, epoch }
}
