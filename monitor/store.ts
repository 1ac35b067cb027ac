// What the page knows, and what it shows of it. Who draws is told when that is another.

/// <reference lib="dom" />
import type { SurveyChanges, SurveyDetail, SurveyEntry } from '../browser/index.ts'
import { History, useOf } from './history.ts'
import { Surveys } from './surveys.ts'
import { Timeline } from './timeline.ts'
import { Tree } from './tree.ts'
import { Warnings } from './warnings.ts'

export interface Totals {
  hosts: number
  workers: number
  use: number
  rooms: number
  consumers: number
  sessions: number
  /** Of transports of clients, where they are told. */
  traffic: number | undefined
}

const TREND = 120

export class Store {
  readonly tree = new Tree()
  readonly history = new History()
  readonly warnings = new Warnings()
  readonly timeline = new Timeline()
  readonly trend: Totals[] = []
  readonly #url: string
  readonly #listeners = new Set<() => void>()
  #surveys: Surveys | undefined
  /** What came while it was paused: what changed last, or undefined for what is gone. */
  #held: Map<string, SurveyEntry | undefined> | undefined
  #focus: string | undefined
  #at = 0
  #version = 0

  constructor(url: string) {
    this.#url = url
  }

  get at() {
    return this.#at
  }

  get version() {
    return this.#version
  }

  get state() {
    return this.#surveys?.client.state ?? 'connecting'
  }

  get reason() {
    return this.#surveys?.client.reason
  }

  get paused() {
    return this.#held !== undefined
  }

  /** What is looked at: what was chosen, while it is there. */
  get focus(): SurveyEntry | undefined {
    return this.tree.get(this.#focus) ?? this.tree.root
  }

  get totals(): Totals | undefined {
    return this.trend.at(-1)
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  connect(token?: string) {
    this.#surveys?.client.close()
    this.#surveys = new Surveys(this.#url, token, {
      onChanges: changes => this.#take(changes),
      onState: () => this.#onState()
    })
    this.#tell()
  }

  look(id: string | undefined) {
    this.#focus = id
    this.#surveys?.look(this.#closely())
    this.#tell()
  }

  pause(paused: boolean) {
    const held = this.#held
    this.#held = paused ? (held ?? new Map()) : undefined
    if (!paused && held) {
      const changed = [...held.values()].filter(entry => entry !== undefined)
      const gone = [...held.keys()].filter(id => held.get(id) === undefined)
      this.#apply({ at: this.#at, changed, gone })
    }
    this.#tell()
  }

  call(method: string, ...args: unknown[]): Promise<unknown> {
    if (!this.#surveys) throw new Error('there is no connection')
    return this.#surveys.client.call(method, ...args)
  }

  /** Something that the operator did here. */
  note(text: string, id?: string) {
    this.timeline.add({ at: Date.now(), tone: 'own', text, id })
    this.#tell()
  }

  #take(changes: SurveyChanges) {
    this.#at = changes.at
    if (!this.#held) return this.#apply(changes)
    for (const id of changes.gone) this.#held.set(id, undefined)
    for (const entry of changes.changed) this.#held.set(entry.id, entry)
  }

  #apply(changes: SurveyChanges) {
    this.timeline.follow(this.tree, changes)
    this.tree.apply(changes)
    this.history.record(changes.at, changes.changed)
    this.history.forget(changes.gone)
    this.warnings.look(changes.at, changes.changed, changes.gone)
    this.#total()
    this.#surveys?.look(this.#closely())
    this.#tell()
  }

  /** What the whole does not tell, and what is looked at needs. */
  #closely(): Map<string, SurveyDetail> {
    const { focus, tree } = this
    if (!focus || this.#focus === undefined) return new Map()
    const router = tree.nearest(focus.id, 'Router')
    if (router) return closelyIn(tree, router.id)
    if (focus.kind === 'Worker') return new Map([[focus.id, 'transports']])
    if (focus.kind === 'tier' && focus.tier === 'leaf' && focus.of !== null)
      return new Map([[focus.id, 'transports']])
    return new Map()
  }

  #total() {
    const { root } = this.tree
    if (!root) return
    let [sessions, traffic] = [0, undefined as number | undefined]
    for (const entry of this.tree.entries.values()) {
      if (entry.kind === 'session' && entry.of === root.id) sessions++
      if (!entry.kind.endsWith('Transport') || entry.kind === 'PipeTransport') continue
      const { bitrateIn = 0, bitrateOut = 0 } = entry as { bitrateIn?: number; bitrateOut?: number }
      traffic = (traffic ?? 0) + bitrateIn + bitrateOut
    }
    const { workers, routers, consumers } = root.load
    const hosts = this.tree.hosts(root.id).length
    this.trend.push({
      ...{ hosts, workers, rooms: routers, consumers, sessions, traffic },
      use: useOf(root) ?? 0
    })
    if (this.trend.length > TREND) this.trend.shift()
  }

  #onState() {
    if (this.state === 'connecting')
      this.timeline.add({
        at: Date.now(),
        tone: 'bad',
        text: 'The tier was lost: connecting again'
      })
    if (this.state === 'open' && this.tree.size)
      this.timeline.add({ at: Date.now(), tone: 'good', text: 'Connected to the tier again' })
    this.#tell()
  }

  #tell() {
    this.#version++
    for (const listener of this.#listeners) listener()
  }
}

/**
 * All Routers of a room. Pipes name their other ends, and these the host: on it is the next Router,
 * which is known when the transports there are.
 */
function closelyIn(tree: Tree, router: string): Map<string, SurveyDetail> {
  const closely = new Map<string, SurveyDetail>()
  for (const { id } of tree.room(router)) {
    closely.set(id, 'all')
    for (const { peer } of tree.childrenOf(id, 'PipeTransport'))
      if (peer !== undefined && !tree.get(peer)) closely.set(peer.split('/')[0]!, 'transports')
  }
  return closely
}
