// Tells what hosts do (they come, fill up, drain and go) and how many there should be. All registries
// watch, and one of them tells; who takes over begins with what differs from what was told.

import { setTimeout as sleep } from 'node:timers/promises'
import type { Host, HostChange } from '../host.ts'
import { type Log, Trouble } from '../log.ts'
import type { Store } from '../store/store.ts'
import {
  HOSTS,
  type HostEventType,
  type Publish,
  type WantedEvent,
  stateOfHost
} from './publish.ts'

/** Undefined where it is not known: what was told last holds. */
export type HostCondition = 'up' | 'full' | 'draining' | undefined

export interface HostStatesOptions {
  store: Pick<Store, 'changes' | 'hosts' | 'lead' | 'told'>
  /** The name of this registry in the store. */
  registry: string
  publish: Publish
  /** @param was what was told last */
  conditionOf(host: Host, was: HostCondition): HostCondition
  /** How many hosts there should be; undefined where nobody says. */
  wanted?: (() => WantedEvent | undefined) | undefined
  log: Log
  /** How long another registry waits until it takes over, in ms. */
  lease?: number
}

const TASK = 'host-states'
const LEASE_MS = 6_000

export class HostStates {
  readonly #options: HostStatesOptions
  readonly #lease: number
  readonly #hosts = new Map<string, Host>()
  /** What was last told of each; undefined as long as another registry tells. */
  #told: Map<string, string> | undefined
  #toldWanted: number | undefined
  #last: Promise<void> = Promise.resolve()
  readonly #ended = new AbortController()
  readonly #trouble: Trouble
  readonly #timer: NodeJS.Timeout

  constructor(options: HostStatesOptions) {
    this.#options = options
    this.#lease = options.lease ?? LEASE_MS
    this.#trouble = new Trouble(options.log)
    this.#timer = setInterval(() => this.#next(() => this.#look()), this.#lease / 6)
    void this.#follow()
  }

  async close() {
    clearInterval(this.#timer)
    this.#ended.abort()
    await this.#last
  }

  async #follow() {
    const { signal } = this.#ended
    while (!signal.aborted) {
      try {
        for await (const change of this.#options.store.changes(signal))
          this.#next(() => this.#changed(change))
      } catch (error) {
        this.#fails(error as Error)
      }
      await sleep(this.#lease / 6, undefined, { signal }).catch(() => {})
    }
  }

  /** One thing after the other: a host that was gone for a moment goes, and then comes. */
  #next(step: () => Promise<void>) {
    this.#last = this.#last.then(step).catch(error => this.#fails(error))
  }

  /** What was told is asked for again: it may be another registry that tells. */
  #fails(error: Error) {
    this.#told = undefined
    this.#trouble.begins(error, 'the store cannot be asked: what hosts do is told later')
  }

  async #changed(change: HostChange) {
    const id = 'gone' in change ? change.gone : change.host.id
    if ('gone' in change) this.#hosts.delete(id)
    else this.#hosts.set(id, change.host)
    if (!this.#told) return
    if ('gone' in change) await this.#down(id)
    else await this.#check(change.host)
  }

  async #look() {
    const { store, registry } = this.#options
    if (this.#ended.signal.aborted) return
    const leads = await store.lead(TASK, registry, this.#lease)
    this.#trouble.ends('what hosts do is told again')
    if (!leads) this.#told = undefined
    else if (!this.#told) await this.#takeOver()
    if (!this.#told) return
    for (const host of this.#hosts.values()) await this.#check(host)
    await this.#checkWanted()
  }

  async #takeOver() {
    const { store } = this.#options
    this.#toldWanted = undefined
    const [told, hosts] = [await store.told(HOSTS), await store.hosts()]
    this.#told = new Map([...told].map(([subject, state]) => [subject.slice(HOSTS.length), state]))
    const there = new Set(hosts.map(({ id }) => id))
    for (const host of hosts) this.#hosts.set(host.id, host)
    for (const id of this.#told.keys()) if (!there.has(id)) await this.#down(id)
  }

  async #down(host: string) {
    await this.#options.publish('host.down', { host })
    this.#told?.delete(host)
  }

  async #checkWanted() {
    const all = this.#options.wanted?.()
    if (!all || all.hosts === this.#toldWanted) return
    const { hosts, now, starting, cores, reason } = all
    await this.#options.publish('hosts.wanted', { hosts, now, starting, cores, reason })
    this.#toldWanted = hosts
  }

  async #check(host: Host) {
    const before = this.#told!.get(host.id)
    const was = before?.split(' ')[0] as HostCondition
    const condition = this.#options.conditionOf(host, was) ?? was
    if (!condition) return
    const { id, url, labels } = host
    const data = { host: id, url, labels }
    const state = stateOfHost(condition, data)
    if (state === before) return
    const type: HostEventType = `host.${condition}`
    await this.#options.publish(type, data)
    this.#told!.set(id, state)
  }
}
