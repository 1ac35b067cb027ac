// Many hosts as one mediasoup: places Workers on children, and carries out pipeToRouter between
// them. All else passes by its handle.

import { EventEmitter, once } from 'node:events'
import { randomBytes } from 'node:crypto'
import type { DrainOptions, DrainState } from '../../lib/drain.ts'
import { checkDurations } from '../../lib/duration.ts'
import { ConnectionError, IncompatibleError } from '../../lib/errors.ts'
import type { ChildState, Figures } from '../../lib/figures.ts'
import { type Hello, PROTOCOL } from '../../lib/hello.ts'
import type { IceServer } from '../../lib/ice-server.ts'
import { IDLE, type Load, exchange, sameLoad } from '../../lib/load.ts'
import { OpenLinks } from '../../lib/open-links.ts'
import { type Link, type OpenOptions, type Tier, channel } from '../../lib/tier.ts'
import { version } from '../../lib/version.ts'
import type { ScaledHost, Wanted } from '../../lib/wanted.ts'
import { Child } from './child.ts'
import type { ClusterContext, HorizontalEvents } from './context.ts'
import { Scaling, differs } from './scaling.ts'
import { differenceOf, likenessOf, majorityOf } from './likeness.ts'
import { ClusterSession } from './session.ts'
import { inTurn } from '../placement/in-turn.ts'
import { type NamedCandidate, first } from '../placement/first.ts'
import { mostFree } from '../placement/most-free.ts'
import { Ranking } from '../placement/ranking.ts'
import type { ScaleOptions } from '../placement/scale-options.ts'
import { TierSurvey } from '../tier-survey.ts'

const REPORT_MS = 1_000

export interface HorizontalOptions {
  /**
   * Where Workers go: `most-free` to the child with the most free capacity, `first` to the first one
   * by name that has room, so that the last ones run empty, `scatter` to each in turn, to test pipes.
   * Default `most-free`.
   */
  policy?: 'most-free' | 'first' | 'scatter'
  /** How long a child may take to answer a request, in ms. Default 30 s. */
  timeout?: number
  /**
   * How long a session may wait for the first child to be up, and one that another process had for
   * each child, in ms. Default 5 s.
   */
  patience?: number
  /**
   * Whether children may have different versions of mediasoup, as long as all describe its API
   * alike. Default false: those that differ from most of them get no new Workers.
   */
  mixedVersions?: boolean
  /** How many hosts there are to be. Default: it says nothing about that. */
  scale?: Partial<ScaleOptions>
}

export type { HorizontalEvents } from './context.ts'

export interface ChildFacts {
  /** One that is `lost` gets no Workers: its connection broke, and may be regained. */
  state: ChildState
  load: Load
  /** How many times it has told its load. */
  reports: number
}

/** A tier that is a live collection of tiers, with the semantics of a Set. */
export interface Horizontal extends Tier, EventEmitter<HorizontalEvents>, Iterable<Tier> {
  readonly size: number
  readonly load: Load
  /** How many hosts there should be, as it was decided last. Only with `scale`. */
  readonly wanted: Wanted | undefined
  /** The hosts of which it was decided. Only with `scale`. */
  readonly hosts: readonly ScaledHost[]
  has(tier: Tier): boolean
  /** How a child is now; undefined when it is none. */
  child(tier: Tier): ChildFacts | undefined
  /**
   * Adds a child, which takes its share as soon as it is up.
   *
   * @throws TypeError for another one of the same URL.
   */
  add(tier: Tier): this
  /**
   * Takes a child out: now, with its Workers, or so that it gets no new Workers while those it has
   * live on.
   */
  delete(tier: Tier, options?: { drain?: boolean }): boolean
  /**
   * Gives a child back, by its name: it ends once it is empty, or at a deadline; or does not any more.
   *
   * @throws ConnectionError for one that is not there, or cannot be reached.
   */
  drain(name: string, options?: DrainOptions): Promise<DrainState>
  /**
   * What participants need to use the TURN server beside a child; empty where it has none.
   *
   * @throws ConnectionError for one that is not there, or cannot be reached.
   */
  iceServers(tier: Tier): Promise<IceServer[]>
  /** Ends its sessions, and takes out all children and closes them. */
  close(): void
}

/**
 * Makes one tier of many.
 *
 * @throws TypeError for a URL that is there twice; RangeError for a time that no timer can wait
 * for.
 * @example
 * ```ts
 * const cluster = horizontal([remote('ws://a:4000'), remote('ws://b:4000')])
 * await serve(cluster, { port: 4100 })
 * cluster.add(remote('ws://c:4000'))
 * ```
 */
export const horizontal = (
  tiers: Iterable<Tier> = [],
  options: HorizontalOptions = {}
): Horizontal => new Cluster(tiers, options)

class Cluster extends EventEmitter<HorizontalEvents> implements Horizontal, ClusterContext {
  readonly node = randomBytes(6).toString('base64url')
  #added = 0
  // What only tiers below are told: whoever could name it could have it refused there as a cycle.
  readonly #name = randomBytes(12).toString('base64url')
  readonly #children = new Map<Tier, Child>()
  // Those that are up: in the order in which they get Workers, and with what they count for in the
  // load of the whole.
  readonly #ranking: Ranking<Child, NamedCandidate>
  readonly #counted = new Map<Child, Load>()
  #load = IDLE
  #told = IDLE
  #reportTimer: NodeJS.Timeout | undefined
  readonly #sessions = new Set<ClusterSession>()
  readonly #links = new OpenLinks()
  // What the children that are up have in common.
  #likeness: string | undefined
  // Wait for a child to be there.
  readonly #waiting = new Set<() => void>()
  readonly #began = performance.now()
  readonly patience: number
  readonly timeout: number
  readonly #mixedVersions: boolean
  readonly #scaling: Scaling | undefined
  readonly newOrder: () => () => Iterable<Child>
  readonly survey = new TierSurvey({
    node: this.node,
    tier: 'horizontal',
    load: () => this.load,
    children: () => this.#children.values()
  })

  constructor(
    tiers: Iterable<Tier>,
    {
      policy = 'most-free',
      timeout = 30_000,
      patience = 5_000,
      mixedVersions = false,
      scale
    }: HorizontalOptions
  ) {
    super()
    checkDurations({ timeout }, 1)
    checkDurations({ patience })
    this.setMaxListeners(0) // Every session listens to its load.
    this.#ranking = new Ranking(policy === 'first' ? first : mostFree)
    this.newOrder =
      policy === 'scatter'
        ? () => inTurn(() => [...this.#children.values()].filter(({ isUp, lost }) => isUp && !lost))
        : () => () => this.#ranking
    this.timeout = timeout
    this.patience = patience
    this.#mixedVersions = mixedVersions
    this.#scaling = scale && new Scaling(() => this.#children.values(), scale)
    this.#scaling?.on('wanted', (wanted, before) => this.#want(wanted, before))
    try {
      for (const tier of tiers) this.add(tier)
    } catch (error) {
      for (const tier of this) this.delete(tier) // They would be tried for ever.
      throw error
    }
  }

  get size() {
    return this.#children.size
  }

  get load(): Load {
    return this.#load
  }

  has(tier: Tier) {
    return this.#children.has(tier)
  }

  child(tier: Tier): ChildFacts | undefined {
    const child = this.#children.get(tier)
    return child && { state: stateOf(child), load: child.load, reports: child.reports }
  }

  [Symbol.iterator]() {
    return this.#children.keys()
  }

  add(tier: Tier): this {
    this.#links.check()
    if (this.#children.has(tier)) return this
    const isThere = tier.name !== undefined && [...this].some(({ name }) => name === tier.name)
    if (isThere) throw new TypeError(`a cluster has each host once (got ${tier.name} twice)`)
    const via = () => [this.#name, ...this.#above()]
    const child = new Child(tier, via, this.timeout, `child ${++this.#added}`)
    this.#children.set(tier, child)
    child.on('answered', () => {
      child.likeness = likenessOf(child.hello!, this.#mixedVersions)
      this.#compare()
    })
    child.on('down', error => {
      child.isUp = false
      this.#discount(child)
      this.emit('down', tier, error)
      this.#compare()
    })
    child.on('load', () => this.#count(child))
    child.on('drained', () => this.emit('drained', tier))
    child.on('failed', error =>
      this.emit(error instanceof IncompatibleError ? 'refused' : 'failed', tier, error)
    )
    void child.watch()
    return this
  }

  /** Which children are up: of those that can be reached, the most that are alike. */
  #compare() {
    if (this.#links.closed) return
    const reached = [...this.#children.values()].filter(({ hello }) => hello)
    this.#likeness = majorityOf(
      reached.map(({ likeness }) => likeness),
      this.#likeness
    )
    const sibling = reached.find(({ likeness }) => likeness === this.#likeness)?.hello
    const nodes = new Map<string, Child>()
    for (const child of reached) {
      const same = nodes.get(child.hello!.node)
      if (same)
        this.#refuse(
          child,
          `is ${same.tier.name ?? 'another child'}, which is in the cluster already`
        )
      else if (child.likeness !== this.#likeness)
        this.#refuse(child, differenceOf(child.hello!, sibling!))
      else if (!child.isUp) this.#admit(child, sibling!)
      nodes.set(child.hello!.node, same ?? child)
    }
  }

  #admit(child: Child, sibling: Hello) {
    // They are large: one copy for all.
    if (!this.#mixedVersions)
      child.hello!.supportedRtpCapabilities = sibling.supportedRtpCapabilities
    child.isUp = true
    child.refusal = undefined
    this.#count(child)
    this.emit('up', child.tier)
  }

  #refuse(child: Child, why: string) {
    child.isUp = false
    this.#discount(child)
    if (child.refusal === why) return
    child.refusal = why
    this.emit('refused', child.tier, new IncompatibleError(`the host ${why}`))
  }

  delete(tier: Tier, { drain = false } = {}): boolean {
    const child = this.#children.get(tier)
    if (!child) return false
    this.#children.delete(tier)
    this.#discount(child)
    child.remove()
    if (!drain) for (const session of this.#sessions) session.leave(child)
    this.#compare()
    return true
  }

  async drain(name: string, options: DrainOptions = {}): Promise<DrainState> {
    const child = [...this.#children.values()].find(({ keyName }) => keyName === name)
    if (!child) throw new ConnectionError(`the cluster has no host ${name}`)
    const state = await child.drain(options)
    this.#scaling?.setGivenBack(child, state.draining)
    return state
  }

  async iceServers(tier: Tier): Promise<IceServer[]> {
    const child = this.#children.get(tier)
    if (!child) throw new ConnectionError(`the cluster has no host ${tier.name}`)
    return child.iceServers()
  }

  close() {
    this.#scaling?.close()
    this.#links.close()
    for (const tier of this) {
      this.delete(tier)
      tier.close()
    }
  }

  get resumable() {
    return [...this].every(({ resumable }) => resumable)
  }

  async figures(): Promise<Figures> {
    const children: Record<ChildState, number> = { up: 0, lost: 0, down: 0, refused: 0 }
    for (const child of this.#children.values()) children[stateOf(child)]++
    return {
      tier: 'horizontal',
      mediasoup: this.#firstUp?.hello?.mediasoup,
      load: this.#load,
      children,
      wanted: this.wanted
    }
  }

  get wanted() {
    return this.#scaling?.wanted
  }

  get hosts() {
    return this.#scaling?.hosts ?? []
  }

  refused(by: object, count: number) {
    this.#scaling?.refused(by, count)
  }

  /** What its children want is decided here. */
  #want(wanted: Wanted, before: Wanted | undefined) {
    const [was, is] = [before, wanted].map(each => ({ ...IDLE, wanted: each?.cores ?? 0 }))
    this.#load = exchange(this.#load, was!, is!)
    if (!this.#reportTimer) this.#report()
    if (differs(wanted, before)) this.emit('wanted', wanted)
  }

  async open({ resume, ...options }: OpenOptions = {}): Promise<Link> {
    this.#links.check()
    const [ours, theirs] = channel()
    const session = new ClusterSession(this, this.#links.add(ours), options)
    this.#sessions.add(session)
    ours.once('close', () => this.#sessions.delete(session))
    if (resume) session.revive()
    return theirs
  }

  maybeLate({ hello }: Child): boolean {
    return hello !== undefined || performance.now() - this.#began < this.patience
  }

  get children(): Iterable<Child> {
    return this.#children.values()
  }

  /** A child is up, or its load changed. */
  #count(child: Child) {
    if (!child.isUp || this.#children.get(child.tier) !== child) return
    const { load, promised, lost, keyName: name } = child
    if (lost) this.#ranking.delete(child)
    else this.#ranking.put(child, { load, promised, name })
    if (!lost) this.#wake()
    this.#exchange(
      child,
      lost
        ? IDLE
        : {
            ...load,
            workers: load.workers + promised,
            wanted: this.#scaling ? 0 : load.wanted
          }
    )
  }

  #discount(child: Child) {
    this.#ranking.delete(child)
    this.#exchange(child, IDLE)
    this.#counted.delete(child)
    this.#wake()
  }

  #wake() {
    for (const wake of this.#waiting) wake()
    this.#waiting.clear()
  }

  #exchange(child: Child, load: Load) {
    this.#load = exchange(this.#load, this.#counted.get(child) ?? IDLE, load)
    this.#counted.set(child, load)
    if (!this.#reportTimer) this.#report()
  }

  // At once, and then not before the interval is over, however many children report in it.
  #report() {
    this.#reportTimer = undefined
    if (sameLoad(this.#load, this.#told)) return
    this.#told = this.#load
    this.emit('load', this.#load)
    this.#reportTimer = setTimeout(() => this.#report(), REPORT_MS).unref()
  }

  get #firstUp(): Child | undefined {
    const [first] = this.#counted.keys()
    return first
  }

  async #waitForFirst(): Promise<Child> {
    // When it is late, there is still none.
    if (!this.#firstUp)
      await once(this, 'up', { signal: AbortSignal.timeout(this.patience) }).catch(() => {})
    const first = this.#firstUp
    if (!first)
      throw new ConnectionError(`none of the ${this.size} hosts of the cluster can be reached`)
    return first
  }

  async untilRegained() {
    const areAllLost = () => this.#counted.size > 0 && this.#ranking.size === 0
    if (!areAllLost()) return
    let isLate = false
    const timer = setTimeout(() => {
      isLate = true
      this.#wake()
    }, this.timeout).unref()
    while (areAllLost() && !isLate) await new Promise<void>(resolve => this.#waiting.add(resolve))
    clearTimeout(timer)
  }

  /**
   * The tiers that have said hello through this one, or through which it was said, and are there.
   */
  #above(): Set<string> {
    return new Set([...this.#sessions].flatMap(({ via }) => via))
  }

  async hello(via: string[] = []): Promise<Hello> {
    if (via.includes(this.#name))
      throw new IncompatibleError('tiers must not form a cycle: this one is above and below itself')
    const first = await this.#waitForFirst()
    return { ...first.hello!, protocol: PROTOCOL, mafalda: version, node: this.node, proxy: true }
  }
}

function stateOf({ isUp, lost, hello, refusal }: Child): ChildState {
  if (isUp) return lost ? 'lost' : 'up'
  return hello && refusal !== undefined ? 'refused' : 'down'
}
