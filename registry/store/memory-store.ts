// The store of a registry that is alone: in its own memory.

import { EventEmitter, on } from 'node:events'
import type { Host, HostChange } from '../host.ts'
import { canonical } from './changes.ts'
import {
  type Assignment,
  ROOMS,
  type Place,
  type Store,
  storeDefaults,
  type StoredEvent,
  type StoreOptions
} from './store.ts'
import { wakened } from './wakened.ts'

const LOOK_MS = 100
const WAIT_MS = 60_000
const NOBODY = ''

interface Member {
  host: Host
  /** When its lease ends, by `performance.now()`. */
  until: number
  /** Until when each registry holds it. */
  holders: Map<string, number>
}

interface Taken {
  reader: string
  until: number
  patience: number
}

export class MemoryStore implements Store {
  readonly #changes = new EventEmitter<{ change: [HostChange] }>().setMaxListeners(0)
  readonly #members = new Map<string, Member>()
  readonly #places = new Map<string, Place>()
  /** Until when the epochs of those are kept that have no host. */
  readonly #ended = new Map<string, number>()
  readonly #events = new Map<string, StoredEvent>()
  readonly #taken = new Map<string, Taken>()
  readonly #published = new EventEmitter<{ event: [] }>().setMaxListeners(0)
  readonly #told = new Map<string, string>()
  readonly #leads = new Map<string, { registry: string; until: number }>()
  readonly #closed = new AbortController()
  readonly #timers: readonly NodeJS.Timeout[]
  readonly #epochLife: number
  // Greater than those of the process before.
  #serial = Date.now() * 1_000

  constructor(options: StoreOptions = {}) {
    const { epochLife, tidyEvery } = { ...storeDefaults, ...options }
    this.#epochLife = epochLife
    this.#timers = [
      setInterval(() => this.#expire(), LOOK_MS).unref(),
      setInterval(() => this.#tidy(), tidyEvery).unref()
    ]
  }

  async *changes(signal: AbortSignal): AsyncGenerator<HostChange> {
    const changes = on(this.#changes, 'change', { signal })
    const there = [...this.#members.values()].map(({ host }) => host)
    try {
      for (const host of there) yield { host }
      for await (const [change] of changes) yield change
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }

  async register(host: Host, lease: number, rooms: readonly Place[] = []) {
    const before = this.#members.get(host.id)
    const holders = before?.holders ?? new Map()
    this.#members.set(host.id, { host, until: performance.now() + lease, holders })
    for (const place of rooms) this.#putBack(place)
    if (!before || canonical(before.host) !== canonical(host))
      this.#changes.emit('change', { host })
  }

  async unregister(id: string) {
    if (this.#members.delete(id)) this.#changes.emit('change', { gone: id })
  }

  async hold(id: string, registry: string, lease: number) {
    this.#members.get(id)?.holders.set(registry, performance.now() + lease)
  }

  async release(id: string, registry: string) {
    const member = this.#members.get(id)
    if (member?.holders.delete(registry) && !member.holders.size) await this.unregister(id)
  }

  async assign(room: string, candidates: readonly string[]): Promise<Assignment | undefined> {
    const before = this.#places.get(room)
    if (before && this.#members.has(before.host)) return { ...before, isNew: false }
    const host = candidates.find(candidate => this.#members.has(candidate))
    if (host === undefined) return undefined
    const place = { room, host, epoch: (before?.epoch ?? 0) + 1 }
    this.#places.set(room, place)
    this.#ended.delete(room)
    return { ...place, isNew: true }
  }

  async place(room: string) {
    const place = this.#places.get(room)
    return place && this.#members.has(place.host) ? place : undefined
  }

  async *places() {
    for (const place of this.#places.values()) if (this.#members.has(place.host)) yield place
  }

  async remove(room: string) {
    const place = this.#places.get(room)
    if (!place || place.host === NOBODY) return undefined
    this.#places.set(room, { ...place, host: NOBODY })
    this.#ended.set(room, performance.now() + this.#epochLife)
    return place
  }

  async publish(subject: string, body: string) {
    const id = String(++this.#serial).padStart(16, '0')
    this.#events.set(id, { id, subject, body })
    this.#published.emit('event')
  }

  async *events(reader: string, patience: number, signal: AbortSignal) {
    const ended = AbortSignal.any([signal, this.#closed.signal])
    while (!ended.aborted) {
      const event = this.#next()
      if (event) {
        this.#taken.set(event.id, { reader, patience, until: performance.now() + patience })
        yield event
      } else await wakened(this.#published, 'event', WAIT_MS, ended)
    }
  }

  async keep(reader: string, { id }: StoredEvent) {
    const taken = this.#taken.get(id)
    if (taken?.reader === reader) taken.until = performance.now() + taken.patience
  }

  async settle({ id }: StoredEvent) {
    this.#events.delete(id)
    this.#taken.delete(id)
    this.#published.emit('event')
  }

  async lead(task: string, registry: string, lease: number) {
    const leader = this.#leads.get(task)
    const now = performance.now()
    if (leader && leader.registry !== registry && leader.until > now) return false
    this.#leads.set(task, { registry, until: now + lease })
    return true
  }

  async close() {
    this.#closed.abort()
    for (const timer of this.#timers) clearInterval(timer)
  }

  async hosts() {
    return [...this.#members.values()].map(({ host }) => host)
  }

  async tell(subject: string, state: string | undefined, body: string, first = body) {
    const told = this.#told.get(subject)
    if (told === state) return false
    if (state === undefined) this.#told.delete(subject)
    else this.#told.set(subject, state)
    await this.publish(subject, told === undefined ? first : body)
    return true
  }

  async told(prefix: string) {
    return new Map([...this.#told].filter(([subject]) => subject.startsWith(prefix)))
  }

  /** The first that nobody has, and before which none of its subject is. */
  #next(): StoredEvent | undefined {
    const subjects = new Set<string>()
    for (const event of this.#events.values()) {
      if (!subjects.has(event.subject) && !this.#taken.has(event.id)) return event
      subjects.add(event.subject)
    }
    return undefined
  }

  /** Of two places of a room, the one with the greater epoch is the newer one. */
  #putBack(place: Place) {
    const { room, epoch } = place
    const known = this.#places.get(room)
    if (known && known.epoch >= epoch) return
    const isElsewhere = known && known.host !== place.host && this.#members.has(known.host)
    this.#places.set(room, isElsewhere ? { ...known, epoch: epoch + 1 } : place)
    this.#ended.delete(room)
  }

  #tidy() {
    const now = performance.now()
    for (const [room, { host }] of this.#places) {
      const until = this.#ended.get(room)
      if (this.#members.has(host)) this.#ended.delete(room)
      else if (until === undefined) this.#ended.set(room, now + this.#epochLife)
      else if (until < now) {
        this.#places.delete(room)
        this.#ended.delete(room)
        this.#told.delete(ROOMS + room)
      }
    }
  }

  #expire() {
    const now = performance.now()
    for (const [id, { until, holders }] of this.#members) {
      for (const [registry, end] of holders) if (end < now) holders.delete(registry)
      if (until < now && !holders.size) void this.unregister(id)
    }
    for (const [id, { until }] of this.#taken) {
      if (until >= now) continue
      this.#taken.delete(id)
      this.#published.emit('event')
    }
  }
}
