// Many hosts as one mediasoup: places Workers on children, and carries out pipeToRouter between them. All else passes by
// its handle.

import { EventEmitter } from 'node:events'
import { randomBytes } from 'node:crypto'
import { ConnectionError, IncompatibleError } from '../lib/errors.ts'
import { type Hello, PROTOCOL } from '../lib/hello.ts'
import { type Load, sum } from '../lib/load.ts'
import { type Link, type Tier, pair } from '../lib/tier.ts'
import { version } from '../lib/version.ts'
import { Child } from './child.ts'
import { ClusterSession } from './cluster-session.ts'
import { inTurn } from './placement/in-turn.ts'
import { byFreeCapacity } from './placement/most-free.ts'

export interface HorizontalOptions {
  /** Where Workers go: `most-free` to the child with the most free capacity, `scatter` to each in turn, to test pipes. Default `most-free`. */
  policy?: 'most-free' | 'scatter'
  /** How long a child may take to answer a request, in ms. Default 30 s. */
  timeout?: number
  /** How long a session may wait for the first child to be up, in ms. Default 5 s. */
  patience?: number
  /** Children may have different versions of mediasoup, as long as all describe its API alike. Default false. */
  mixedVersions?: boolean
}

export type HorizontalEvents = {
  /** A child can be reached. */
  up: [tier: Tier]
  /** A child cannot be reached any more: its Workers have died. It is tried again. */
  down: [tier: Tier, error: Error]
  /** A child was taken out, because it is not like its siblings. */
  refused: [tier: Tier, error: Error]
  load: [load: Load]
}

/** A tier that is a live collection of tiers, with the semantics of a Set. */
export interface Horizontal extends Tier, EventEmitter<HorizontalEvents>, Iterable<Tier> {
  readonly size: number
  readonly load: Load
  has(tier: Tier): boolean
  /** Adds a child, which takes its share as soon as it is up. */
  add(tier: Tier): this
  /** Takes a child out: now, with its Workers, or so that it gets no new Workers while those it has live on. */
  delete(tier: Tier, options?: { drain?: boolean }): boolean
  /** Takes out all children. */
  close(): void
}

/**
 * Makes one tier of many.
 *
 * @example
 * ```ts
 * const cluster = horizontal([remote('ws://a:4000'), remote('ws://b:4000')])
 * await serve(cluster, { port: 4100 })
 * cluster.add(remote('ws://c:4000'))
 * ```
 */
export const horizontal = (tiers: Iterable<Tier> = [], options: HorizontalOptions = {}): Horizontal => new Cluster(tiers, options)

export class Cluster extends EventEmitter<HorizontalEvents> implements Horizontal {
  readonly node = randomBytes(6).toString('base64url')
  readonly #children = new Map<Tier, Child>()
  readonly #sessions = new Set<ClusterSession>()
  // All tiers that have said hello through this one: none of them may be below.
  readonly #above = new Set<string>()
  readonly #patience: number
  readonly timeout: number
  readonly #mixedVersions: boolean
  /** Orders the children that a Worker of a session may go to. */
  readonly newOrder: () => (children: Child[]) => Child[]

  constructor(tiers: Iterable<Tier>, { policy = 'most-free', timeout = 30_000, patience = 5_000, mixedVersions = false }: HorizontalOptions) {
    super()
    this.newOrder = policy === 'scatter' ? inTurn : () => byFreeCapacity
    this.timeout = timeout
    this.#patience = patience
    this.#mixedVersions = mixedVersions
    for (const tier of tiers) this.add(tier)
  }

  get size() {
    return this.#children.size
  }

  get load(): Load {
    return sum([...this.#up()].map(({ load }) => load))
  }

  has(tier: Tier) {
    return this.#children.has(tier)
  }

  [Symbol.iterator]() {
    return this.#children.keys()
  }

  add(tier: Tier): this {
    if (this.#children.has(tier)) return this
    const child = new Child(tier, () => [this.node, ...this.#above], hello => this.#check(hello, child), this.timeout)
    this.#children.set(tier, child)
    child.on('up', () => this.emit('up', tier))
    child.on('down', error => this.emit('down', tier, error))
    child.on('load', () => this.emit('load', this.load))
    child.on('refused', error => {
      this.#children.delete(tier)
      this.emit('refused', tier, error)
    })
    void child.watch()
    return this
  }

  delete(tier: Tier, { drain = false } = {}): boolean {
    const child = this.#children.get(tier)
    if (!child) return false
    this.#children.delete(tier)
    child.remove()
    if (!drain) for (const session of this.#sessions) session.leave(child)
    return true
  }

  close() {
    for (const tier of this) this.delete(tier)
  }

  async open(): Promise<Link> {
    const [ours, theirs] = pair()
    const session = new ClusterSession(this, ours)
    this.#sessions.add(session)
    ours.once('close', () => this.#sessions.delete(session))
    return theirs
  }

  /** The children that a new Worker may go to. */
  candidates(): Child[] {
    return [...this.#up()].filter(({ draining }) => !draining)
  }

  *#up() {
    for (const child of this.#children.values()) if (child.hello) yield child
  }

  async #firstUp(): Promise<Child[]> {
    const up = () => [...this.#up()]
    if (!up().length) {
      const signal = AbortSignal.timeout(this.#patience)
      await new Promise<void>(resolve => {
        const done = () => {
          this.off('up', done)
          resolve()
        }
        this.on('up', done)
        signal.addEventListener('abort', done)
      })
    }
    if (!up().length) throw new ConnectionError(`none of the ${this.size} hosts of the cluster can be reached`)
    return up()
  }

  /** What it says of itself to a tier, or a client, at the end of a path of tiers. */
  async hello(via: string[] = []): Promise<Hello> {
    if (via.includes(this.node)) throw new IncompatibleError('tiers must not form a cycle: this one is above and below itself')
    for (const node of via) this.#above.add(node)
    const [first] = await this.#firstUp()
    return { ...first!.hello!, protocol: PROTOCOL, mafalda: version, node: this.node }
  }

  // Children are like each other: what an application learned from one is true of all.
  #check(hello: Hello, child: Child) {
    for (const sibling of this.#up()) {
      if (sibling === child) continue
      const known = sibling.hello!
      const difference =
        hello.model !== known.model ? `describes mediasoup ${hello.mediasoup} in another way than mediasoup ${known.mediasoup}` :
        hello.mediasoup !== known.mediasoup && !this.#mixedVersions ? `has mediasoup ${hello.mediasoup}, and its siblings have ${known.mediasoup}` :
        JSON.stringify(hello.supportedRtpCapabilities) !== JSON.stringify(known.supportedRtpCapabilities) && !this.#mixedVersions ? 'supports other RTP capabilities than its siblings' :
        undefined
      if (difference) throw new IncompatibleError(`the host ${difference}`)
    }
  }
}
