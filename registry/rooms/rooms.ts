// The rooms of a registry: where each is, or goes. The store decides, because other registries ask it,
// too; while it is away, rooms that are known here are where they were.

import { randomBytes } from 'node:crypto'
import { Problem } from '../../lib/http-routes.ts'
import type { Events } from '../events/events.ts'
import type { Fleet } from '../hosts/fleet.ts'
import type { Host } from '../host.ts'
import { type Log, Trouble } from '../log.ts'
import { type Assignment, type Place, type Store, StoreError } from '../store/store.ts'
import { type Wanted, candidates, hasLabels } from './candidates.ts'
import { KnownRooms } from './known.ts'
import { rendezvous } from './rendezvous.ts'

export interface RoomsOptions {
  store: Pick<Store, 'assign' | 'place' | 'places' | 'remove'>
  fleet: Fleet
  events: Pick<Events, 'placed' | 'closed'>
  /**
   * What new rooms get while the store is away: `consistent` refuses them, `available` gives each a
   * place that other registries give it, too, if they know the same hosts.
   */
  whenAway: 'consistent' | 'available'
  log: Log
  /** A room has got a host, and had another one before if its epoch is above 1. */
  onAssigned(place: Place, host: Host | undefined): void
  /** A room was taken away. */
  onClosed(place: Place): void
}

/** A room, and the host that it is on. */
export interface Found {
  place: Assignment
  host: Host
}

const RETRY_MS = 500
const MAX_UNWRITTEN = 100_000

export class Rooms {
  readonly #options: RoomsOptions
  readonly #known = new KnownRooms<Assignment>()
  // Those that got a place while the store was away.
  readonly #unwritten = new Map<string, Place>()
  readonly #trouble: Trouble
  #timer: NodeJS.Timeout | undefined

  constructor(options: RoomsOptions) {
    this.#options = options
    this.#trouble = new Trouble(options.log)
  }

  /** Where a room is, or is to be from now on. Throws a Problem. */
  async assign(room: string, wanted: Wanted): Promise<Found> {
    const { fleet } = this.#options
    const place = await this.#known
      .ask(room, () => this.#assigned(room, wanted))
      .catch(error => this.#withoutStore(error, room, wanted))
    if (!place) throw noHost(wanted, [...fleet].length)
    fleet.promise(place.host, place.isNew)
    return { place, host: await this.#hostOf(place) }
  }

  /** Makes a room that has no name yet. Throws a Problem. */
  create(wanted: Wanted): Promise<Found> {
    return this.assign(randomBytes(12).toString('base64url'), wanted)
  }

  /** Where a room is; undefined if it is nowhere. Throws a Problem. */
  async find(room: string): Promise<Found | undefined> {
    try {
      const place = await this.#options.store.place(room)
      if (!place) return undefined
      return { place: { ...place, isNew: false }, host: await this.#hostOf(place) }
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      const place = this.#knownAndUp(room)
      if (!place) throw away()
      return { place, host: await this.#hostOf(place) }
    }
  }

  /** Takes a room away. Answers false if there was none. Throws a Problem. */
  async delete(room: string): Promise<boolean> {
    this.#known.delete(room)
    const unwritten = this.#unwritten.delete(room)
    try {
      // Told first: if this process ends in between, the room is there, and is deleted again.
      await this.#options.events.closed(room)
      const place = await this.#options.store.remove(room)
      // Who had asked before may have put it back.
      this.#known.delete(room)
      if (place) this.#options.onClosed(place)
      return place !== undefined || unwritten
    } catch (error) {
      if (error instanceof StoreError) throw away()
      throw error
    }
  }

  /** Throws a Problem. */
  async *places(): AsyncGenerator<Place> {
    try {
      yield* this.#options.store.places()
    } catch (error) {
      if (error instanceof StoreError) throw away()
      throw error
    }
  }

  close() {
    clearTimeout(this.#timer)
  }

  async #assigned(room: string, wanted: Wanted) {
    const { store, fleet, events } = this.#options
    const place = await store.assign(room, candidates(fleet.candidates(), wanted))
    this.#trouble.ends('the store can be asked again: new rooms get places')
    if (place?.isNew) this.#tellNew(place)
    // Who gave it this place may have ended before that was told.
    if (place && this.#known.get(room)?.epoch !== place.epoch) await events.placed(place)
    return place
  }

  #withoutStore(error: unknown, room: string, wanted: Wanted): Assignment {
    if (!(error instanceof StoreError)) throw error
    const { whenAway } = this.#options
    this.#trouble.begins(error, `the store cannot be asked: new rooms are ${TREATED[whenAway]}`)
    const known = this.#knownAndUp(room)
    if (known) return known
    if (whenAway === 'consistent' || this.#unwritten.size >= MAX_UNWRITTEN) throw away()
    return this.#provisional(room, wanted)
  }

  #provisional(room: string, { region, labels }: Wanted): Assignment {
    const up = [...this.#options.fleet.candidates()]
    const all = up.filter(host => hasLabels(host, labels))
    const near = all.filter(host => region === undefined || hasLabels(host, { region }))
    const host = rendezvous(
      room,
      (near.length ? near : all).map(({ id }) => id)
    )
    if (host === undefined) throw noHost({ region, labels }, up.length)
    const epoch = (this.#known.get(room)?.epoch ?? 0) + 1
    const place = { room, host, epoch }
    this.#unwritten.set(room, place)
    this.#known.set({ ...place, isNew: false })
    this.#timer ??= setTimeout(() => void this.#write(), RETRY_MS).unref()
    return { ...place, isNew: true }
  }

  /** Tells the store of the rooms that got places without it. Where it has another one, that holds. */
  async #write() {
    const { store, events, log } = this.#options
    try {
      for (const [room, { host }] of this.#unwritten) {
        const place = await store.assign(room, [host])
        if (place) await events.placed(place)
        if (!this.#unwritten.delete(room) || !place) continue
        this.#known.set({ ...place, isNew: false })
        if (place.isNew) this.#tellNew(place)
        else if (place.host !== host)
          log.warn({ host: place.host, instead: host }, 'a room is on another host than was told')
      }
      this.#timer = undefined
    } catch (error) {
      this.#trouble.begins(error as Error, 'the store cannot be asked: rooms wait to be written')
      this.#timer = setTimeout(() => void this.#write(), RETRY_MS).unref()
    }
  }

  #tellNew(place: Assignment) {
    const { fleet, onAssigned } = this.#options
    onAssigned(place, fleet.get(place.host))
  }

  #knownAndUp(room: string): Assignment | undefined {
    const known = this.#known.get(room)
    const state = known && this.#options.fleet.stateOf(known.host)
    return state === 'up' || state === 'draining' ? { ...known!, isNew: false } : undefined
  }

  async #hostOf({ host: id }: Place): Promise<Host> {
    const host = await this.#options.fleet.find(id)
    if (host) return host
    throw new Problem(503, `this registry does not know the host ${id} yet: ask again`, SOON)
  }
}

const TREATED = { consistent: 'refused', available: 'put where all registries put them' }
const SOON = { 'retry-after': '1' }

const away = () =>
  new Problem(503, 'the store cannot be asked now, and this room is not known here', SOON)

function noHost({ labels }: Wanted, hosts: number): Problem {
  const wanted =
    labels && Object.keys(labels).length ? ` with the labels ${JSON.stringify(labels)}` : ''
  return new Problem(503, `no host${wanted} takes new rooms now (${hosts} are registered)`, SOON)
}
