// The hosts of a registry: those of its store, as children of its cluster. Whether one is up is what
// its connection says, and the store is told.

import type { ChildState } from '../../lib/figures.ts'
import { Problem } from '../../lib/http-routes.ts'
import type { IceServer } from '../../lib/ice-server.ts'
import type { Load } from '../../lib/load.ts'
import type { Tier } from '../../lib/tier.ts'
import type { Wanted } from '../../lib/wanted.ts'
import type { Host } from '../host.ts'
import { type Log, Trouble } from '../log.ts'
import type { Candidate } from '../rooms/candidates.ts'
import { Promised } from '../rooms/promised.ts'
import type { Store } from '../store/store.ts'

/** What a registry needs of `horizontal`. */
export interface Cluster {
  add(tier: Tier): unknown
  delete(tier: Tier, options?: { drain?: boolean }): boolean
  iceServers(tier: Tier): Promise<IceServer[]>
  /** How many hosts there should be, if it is to say so. */
  readonly wanted?: Wanted | undefined
  child(tier: Tier): { state: ChildState; load: Load; reports: number } | undefined
  on(event: 'up', listener: (tier: Tier) => void): unknown
  on(event: 'down', listener: (tier: Tier, error: Error) => void): unknown
}

export interface FleetOptions {
  store: Pick<Store, 'changes' | 'hold' | 'release'>
  cluster: Cluster
  /** Makes a tier of the URL of a host. May throw a TypeError. */
  connect(url: string): Tier
  /** The name of this registry in the store. */
  registry: string
  /** In ms. */
  lease: number
  log: Log
}

export type HostState = ChildState | 'draining'

interface Member {
  host: Host
  /** Undefined for an application server, which has no connection. */
  tier: Tier | undefined
  promised: Promised
}

// How long a room's host may be on its way from the store to here.
const PATIENCE_MS = 2_000
const RETRY_MS = 1_000

const isTier = (url: string) => /^wss?:/.test(url)

export class Fleet {
  readonly #options: FleetOptions
  readonly #members = new Map<string, Member>()
  readonly #ids = new Map<Tier, string>()
  readonly #waiting = new Map<string, Set<() => void>>()
  readonly #ended = new AbortController()
  readonly #storeTrouble: Trouble
  readonly #timer: NodeJS.Timeout

  constructor(options: FleetOptions) {
    this.#options = options
    this.#storeTrouble = new Trouble(options.log)
    options.cluster.on('up', tier => this.#hold(tier))
    options.cluster.on('down', tier => this.#release(tier))
    this.#timer = setInterval(() => this.#renew(), options.lease / 3).unref()
    void this.#follow()
  }

  /** @throws Problem for the URL of a tier that this registry would not connect to */
  check(url: string) {
    if (!isTier(url)) return
    try {
      this.#options.connect(url).close()
    } catch (error) {
      throw new Problem(400, (error as Error).message)
    }
  }

  get(id: string): Host | undefined {
    return this.#members.get(id)?.host
  }

  *[Symbol.iterator](): Generator<Host> {
    for (const { host } of this.#members.values()) yield host
  }

  /**
   * Waits for one that another registry may have told the store of just now.
   *
   * @param patience in ms
   */
  async find(id: string, patience = PATIENCE_MS): Promise<Host | undefined> {
    if (this.#members.has(id)) return this.get(id)
    const waiting = this.#waiting.get(id) ?? new Set()
    this.#waiting.set(id, waiting)
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, patience).unref()
    waiting.add(resolve)
    await promise
    clearTimeout(timer)
    waiting.delete(resolve)
    if (!waiting.size) this.#waiting.delete(id)
    return this.get(id)
  }

  stateOf(id: string): HostState | undefined {
    const member = this.#members.get(id)
    if (!member) return undefined
    if (!member.tier) return member.host.status?.draining ? 'draining' : 'up'
    const child = this.#options.cluster.child(member.tier)
    if (child?.state === 'up' && child.load.capacity === 0) return 'draining'
    return child?.state ?? 'refused'
  }

  /**
   * What participants need to use the TURN server beside a host. It is asked each time: quotas of a
   * TURN server are for each credential. Undefined of a host that cannot be asked.
   */
  async iceServersOf({ id }: Host): Promise<IceServer[] | undefined> {
    const { cluster, log } = this.#options
    const tier = this.#members.get(id)?.tier
    if (!tier) return undefined
    try {
      return await cluster.iceServers(tier)
    } catch (error) {
      log.warn({ host: id, reason: (error as Error).message }, 'host did not say its TURN server')
      return undefined
    }
  }

  loadOf(id: string): Candidate['load'] {
    const member = this.#members.get(id)
    if (!member) return undefined
    return member.tier ? this.#options.cluster.child(member.tier)?.load : member.host.status
  }

  /** Those that may get a room: they are up, and do not drain. */
  *candidates(): Generator<Candidate> {
    const now = performance.now()
    for (const [id, { host, promised, tier }] of this.#members) {
      if (this.stateOf(id) !== 'up') continue
      const reports = this.#reportsOf(tier)
      const load = this.loadOf(id)
      yield { id, labels: host.labels, load, promised: promised.cores(reports, now) }
    }
  }

  /** A room was put on a host, or somebody has asked for one there. */
  promise(id: string, isNew: boolean) {
    const member = this.#members.get(id)
    member?.promised.add(isNew, this.#reportsOf(member.tier), performance.now())
  }

  close() {
    clearInterval(this.#timer)
    this.#ended.abort()
  }

  #reportsOf(tier: Tier | undefined): number {
    return (tier && this.#options.cluster.child(tier)?.reports) ?? 0
  }

  async #follow() {
    const { signal } = this.#ended
    while (!signal.aborted) {
      try {
        for await (const change of this.#options.store.changes(signal)) {
          if ('gone' in change) this.#remove(change.gone)
          else this.#put(change.host)
        }
      } catch (error) {
        this.#storeTrouble.begins(
          error as Error,
          'the store cannot be asked: hosts stay as they are'
        )
      }
      if (!signal.aborted) await new Promise(resolve => setTimeout(resolve, RETRY_MS).unref())
    }
  }

  #put(host: Host) {
    const before = this.#members.get(host.id)
    if (before?.host.url === host.url) before.host = host
    else {
      if (before) this.#remove(host.id)
      const member = { host, tier: this.#connect(host), promised: new Promised() }
      this.#members.set(host.id, member)
      this.#options.log.info({ host: host.id, url: host.url }, 'host has registered')
    }
    for (const wake of this.#waiting.get(host.id) ?? []) wake()
  }

  #connect({ id, url }: Host): Tier | undefined {
    if (!isTier(url)) return undefined
    let tier: Tier | undefined
    try {
      tier = this.#options.connect(url)
      this.#ids.set(tier, id)
      this.#options.cluster.add(tier)
    } catch (error) {
      this.#options.log.warn({ host: id, reason: (error as Error).message }, 'host refused')
    }
    return tier
  }

  /** One that is still connected keeps the Workers that it has: they end with its connection. */
  #remove(id: string) {
    const member = this.#members.get(id)
    if (!member) return
    this.#members.delete(id)
    this.#options.log.info({ host: id }, 'host is gone')
    const { tier } = member
    if (!tier) return
    this.#ids.delete(tier)
    this.#options.cluster.delete(tier, { drain: this.#isUp(tier) })
  }

  #isUp = (tier: Tier) => this.#options.cluster.child(tier)?.state === 'up'

  #hold(tier: Tier) {
    const { store, registry, lease } = this.#options
    const id = this.#ids.get(tier)
    if (id !== undefined) void this.#tell(store.hold(id, registry, lease))
  }

  #release(tier: Tier) {
    const { store, registry } = this.#options
    const id = this.#ids.get(tier)
    if (id !== undefined) void this.#tell(store.release(id, registry))
  }

  #renew() {
    for (const tier of this.#ids.keys()) if (this.#isUp(tier)) this.#hold(tier)
  }

  async #tell(told: Promise<void>) {
    try {
      await told
      this.#storeTrouble.ends('the store can be asked again')
    } catch (error) {
      this.#storeTrouble.begins(error as Error, 'the store cannot be asked: hosts stay as they are')
    }
  }
}
