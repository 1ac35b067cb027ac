// One session on a vertical tier. Workers, Routers and WebRtcServers of the client are its own, and
// have parts below; all other objects are those of the tier below, and their frames pass as they
// are.

import type * as ms from 'mediasoup/types'
import type { Announcement } from '../../lib/codec.ts'
import type { Draining } from '../../lib/drain.ts'
import { ConnectionError, UnknownOutcomeError } from '../../lib/errors.ts'
import { nodeOf } from '../../lib/frame-header.ts'
import type { Handle, Head } from '../../lib/frame.ts'
import type { Hello } from '../../lib/hello.ts'
import type { Usage } from '../../lib/load.ts'
import {
  type Entry,
  type RecallOptions,
  announcementOf,
  encodeRecalled,
  entryOf,
  narrowed,
  tellEntries
} from '../../lib/recall.ts'
import { inProxyOf } from '../../lib/tier-model.ts'
import type { Whose } from '../../lib/session-info.ts'
import type { Frame, Link } from '../../lib/tier.ts'
import { version } from '../../lib/version.ts'
import { type Id, encodeNotification, normalizeIfMessage, notUnique } from '../../lib/wire.ts'
import { type CallHead, ProxySession, paramsOf } from '../session.ts'
import type { Downstream } from './downstream.ts'
import { ObjectCalls } from './object-calls.ts'
import { PipeCalls } from './pipe-calls.ts'
import { Reconciliation } from './reconcile.ts'
import { restore, restoreObserved } from './restore.ts'
import { RouterCalls } from './router-calls.ts'
import { ServerCalls } from './server-calls.ts'
import { type SessionContext, SessionState } from './state.ts'
import type { AggregateWorker } from './types.ts'
import { WorkerCalls } from './worker-calls.ts'

export interface VerticalSessionOptions extends Omit<SessionContext, 'nextHandle' | 'onNode'> {
  link: Link
  whose: Whose | undefined
  tier: string
  /** The session's own, at the start of the handles of what has parts. */
  node: string
  /** Another process had the session before. */
  isNew?: boolean
}

/** Takes calls of some kinds of objects, and what happens to them below. */
interface Receiver {
  call(head: CallHead, frame: Frame): void
  happened(head: CallHead, frame: Frame): void
}

// What is to be known of parts again.
const MEMBERS = ['id', 'appData', 'producerId', 'dataProducerId', 'consumableRtpParameters']

export class VerticalSession extends ProxySession {
  readonly #tier: string
  readonly #node: string
  readonly #below: Downstream
  readonly #state: SessionState
  readonly #workers: WorkerCalls
  // By the kinds of what has parts.
  readonly #receivers: ReadonlyMap<string, Receiver>
  readonly #objects: ObjectCalls
  readonly #pipeCalls: PipeCalls
  // Those below that the client may not know by handles of its own.
  readonly #nodes = new Set<string>()
  #serial = 0
  // From the client, and from below, until it is found again what there is.
  #waiting: [frame: Frame, head: CallHead][] | undefined
  #later: (() => void)[] | undefined
  // Settles when it is known what Workers use, or that it cannot be.
  #measured!: Promise<void>
  #tellsUsage = false

  constructor(options: VerticalSessionOptions) {
    const { link, whose, below, tier, node, settings, session, isNew } = options
    super(link, { load: settings.tierLoad, survey: settings.survey }, whose)
    this.#tier = tier
    this.#node = node
    this.#waiting = isNew ? [] : undefined
    this.#below = below
    const state = (this.#state = new SessionState({
      settings,
      session,
      below,
      nextHandle: () => `${node}/${++this.#serial}`,
      onNode: name => this.#tellNode(name)
    }))
    const [routers, servers] = [new RouterCalls(state, this), new ServerCalls(state, this)]
    this.#workers = new WorkerCalls(state, this, routers, servers)
    this.#receivers = new Map<string, Receiver>([
      ['Worker', this.#workers],
      ['Router', routers],
      ['WebRtcServer', servers]
    ])
    this.#objects = new ObjectCalls(state, this)
    this.#pipeCalls = new PipeCalls(state, this)
    below.link.on('frame', (frame, head) => this.#fromBelow(frame, head))
    below.link.on('dropped', error => this.fail(null, error))
    below.link.once('close', error =>
      link.close(error ?? new ConnectionError('the tier below closed the connection'))
    )
    this.#listenToUsage()
  }

  protected override end() {
    this.#state.end()
    this.#below.link.close()
  }

  override *surveyedHandles() {
    const { workerParts, routerParts } = this.#state.tables
    yield* workerParts.keys()
    yield* routerParts.keys()
  }

  protected override dispatch(head: CallHead, frame: Frame) {
    const { id, method, handle } = head
    const { borrowed, tables } = this.#state
    if (id != null && this.#below.isAsked(id)) throw notUnique(id)
    // A second recall is about what the first one finds.
    const mayPass = method === 'tier.hello' || (method === 'tier.recall' && !this.#later)
    if (this.#waiting && !mayPass) return void this.#waiting.push([frame, head])
    this.holdOff(this.#below.link, head)
    switch (inProxyOf(method)) {
      case 'own':
        return this.dispatchOwn(head, frame)
      case 'byHandle':
        if (handle === undefined) return this.#below.pass(head, frame)
        if (method === 'tier.openPipe') return this.#pipeCalls.open(head, frame)
        return this.#below.forward(
          head,
          method,
          [tables.homeOf(handle!), ...paramsOf(frame).slice(1)],
          method === 'tier.locate' ? answer => borrowed.located(answer, tables) : undefined
        )
      case 'search':
        return this.#below.pass(head, frame, answer => borrowed.answered(method, answer))
      case 'each':
      case 'host':
        if (method === 'tier.usage') return this.#subscribeToUsage(id)
        return this.#below.pass(head, frame)
    }
    if (method === 'mediasoup.createWorker')
      return this.settle(id, this.#workers.create(paramsOf(frame)[0] as Record<string, unknown>))
    this.#receiverOf(method).call(head, frame)
  }

  #receiverOf(method: string): Receiver {
    return this.#receivers.get(method.slice(0, method.indexOf('.'))) ?? this.#objects
  }

  protected override async hello(via: string[]): Promise<Hello> {
    const hello = (await this.#below.call('tier.hello', { via: [...via, this.#tier] })) as Hello
    return { ...hello, mafalda: version, node: this.#tier, proxy: true }
  }

  #fromBelow(received: Frame, known: Head | undefined) {
    const { frame, head } = normalizeIfMessage(received, known)
    this.holdBack(this.#below.link)
    if (this.#below.takes(head?.id, frame)) return
    switch (head?.method) {
      case 'tier.recalled':
        return this.#below.told(frame)
      case 'tier.forgot':
        return this.#forgot((paramsOf(frame)[0] as { nodes?: string[] } | undefined)?.nodes)
      case 'tier.nodes':
        return (paramsOf(frame)[0] as string[]).forEach(node => this.#tellNode(node))
    }
    if (this.#later) this.#later.push(() => this.#heard(frame, head))
    else this.#heard(frame, head)
  }

  #heard(frame: Frame, head: Head | undefined) {
    if (head?.method !== undefined) return this.#happened(head as CallHead, frame)
    const answer = this.#below.answered(frame, head?.id)
    if (answer !== undefined) this.tell(answer, head && { id: head.id })
  }

  #happened(head: CallHead, frame: Frame) {
    const { method, handle } = head
    switch (method) {
      case 'tier.usage':
        return this.#usageReported(paramsOf(frame)[0] as Usage)
      case 'tier.draining':
        return void this.#draining(paramsOf(frame)[0] as Draining)
    }
    const { pipes } = this.#state
    if (handle !== undefined && pipes.owns(handle)) pipes.happened(head as Required<Head>)
    else this.#receiverOf(method).happened(head, frame)
  }

  // What there is, after a tier was replaced

  // ← {"method": "tier.nodes", "params": [["k3x"]]}
  #tellNode(node: string) {
    if (this.#nodes.has(node)) return
    this.#nodes.add(node)
    this.tell(encodeNotification('tier.nodes', [[node]]))
  }

  /**
   * A tier below has forgotten what is on nodes: the client is to recall them. Without nodes, it is
   * the one that this tier speaks to.
   */
  #forgot(nodes?: string[]) {
    if (!nodes) {
      for (const answer of this.#below.forgotten()) this.tell(answer)
      this.#listenToUsage() // It does not tell it any more.
    }
    if (!this.#waiting)
      this.tell(encodeNotification('tier.forgot', [{ nodes: nodes ?? [...this.#nodes] }]))
    else if (nodes) this.#later?.push(() => this.#forgot(nodes))
  }

  protected override async recall(id: Id, { nodes, members }: Required<RecallOptions>) {
    const isOwn = nodes.includes(this.#node)
    const below = new Set(nodes)
    below.delete(this.#node)
    // What the client's own objects are is in their parts.
    if (isOwn) for (const node of this.#nodes) below.add(node)
    const options = { nodes: [...below], members: [...new Set([...members, ...MEMBERS])] }
    const names = new Set(members)
    let count = 0
    const tellPart = (entries: Entry[], done: string[]) => {
      count += entries.length
      this.tell(encodeRecalled({ id, entries: entries.map(entry => narrowed(entry, names)), done }))
    }
    const entries = this.#waiting
      ? await this.#restore(options)
      : await this.#reconcile(options, isOwn, tellPart)
    const told = entries.map(entry => narrowed(entry, names))
    count += await tellEntries(this.link, frame => this.tell(frame), id, told, nodes)
    this.#goOn()
    return { count }
  }

  /**
   * Drops what is gone, and passes on what is told; answers the client's own objects, if it asks
   * for them.
   */
  async #reconcile(
    options: RecallOptions,
    isOwn: boolean,
    tellPart: (entries: Entry[], done: string[]) => void
  ): Promise<Entry[]> {
    const reconciliation = new Reconciliation(this.#state)
    await this.#below.recall(options, ({ entries, done = [] }) => {
      const told = reconciliation.told(entries)
      reconciliation.done(new Set(done), (handle, frame) =>
        this.#workers.happened({ method: 'Worker.died', handle }, frame)
      )
      tellPart(told, done)
    })
    return isOwn ? [...reconciliation.own()] : []
  }

  /** Finds again what another process knew. */
  async #restore(options: RecallOptions): Promise<Entry[]> {
    this.#later = []
    const found: Announcement[] = []
    try {
      await this.#below.recall(options, ({ entries }) => found.push(...entries.map(announcementOf)))
    } catch (error) {
      // It was replaced meanwhile.
      if (error instanceof UnknownOutcomeError) return this.#restore(options)
      throw error
    }
    const state = this.#state
    const { announcements, orphans, observed } = restore(found, state)
    this.#listenToUsage() // Of the parts that are known now.
    for (const { kind, $ } of orphans) this.#below.notify(`${kind}.close`, $)
    await Promise.all(
      observed.map(async part => {
        restoreObserved(
          (await this.#below.call('Router.dump', part.handle)) as ms.RouterDump,
          found,
          part,
          state
        )
      })
    )
    for (const part of state.tables.workerParts.values()) {
      this.#tellNode(nodeOf(part.handle))
      state.scaler.giveBackLater(part)
    }
    this.#serial = Math.max(0, ...state.tables.handles().map(serialOf))
    return announcements.map(announcement => entryOf(announcement, options.members ?? []))
  }

  #goOn() {
    const [waiting, later] = [this.#waiting, this.#later]
    this.#waiting = this.#later = undefined
    for (const deliver of later ?? []) deliver()
    for (const [frame, head] of waiting ?? []) this.receive(frame, head)
  }

  // Hosts that drain

  /**
   * Leaves a host that is to end, as far as it can, and says which Workers it takes with it; their
   * transports are the client's to move.
   */
  async #draining({ workers, cancelled = false, ...host }: Draining) {
    const { scaler, tables } = this.#state
    const parts = workers.flatMap(handle => tables.workerParts.get(handle) ?? [])
    for (const part of parts) part.draining = !cancelled
    const owners = [...new Set(parts.map(({ owner }) => owner))].filter(({ closed }) => !closed)
    const isLasting = await Promise.all(owners.map(owner => !cancelled && scaler.evacuate(owner)))
    // It was told otherwise in the meantime.
    if (!owners.length || parts.some(({ draining }) => draining === cancelled)) return
    const ending = owners.filter((_, i) => !isLasting[i]).map(({ handle }) => handle)
    this.tell(
      encodeNotification('tier.draining', [
        { ...host, ...(cancelled && { cancelled }), workers: ending } satisfies Draining
      ])
    )
  }

  // What Workers use

  #listenToUsage() {
    // The tier below cannot tell, or is asked anew.
    this.#measured = this.#below.call('tier.usage').then(
      usage => this.#usageReported(usage as Usage),
      () => {}
    )
  }

  #subscribeToUsage(id: Id | null | undefined) {
    this.#tellsUsage = true
    this.settle(
      id,
      this.#measured.then(() => usageOf(this.#state.tables.workers.values()))
    )
  }

  #usageReported(usage: Usage) {
    const owners = new Set<AggregateWorker>()
    for (const [handle, cores] of Object.entries(usage)) {
      const part = this.#state.tables.workerParts.get(handle)
      if (!part) continue
      part.load.used = cores
      owners.add(part.owner)
    }
    if (this.#tellsUsage && owners.size)
      this.tell(encodeNotification('tier.usage', [usageOf(owners)]))
  }
}

const serialOf = (handle: Handle) => Number(handle.slice(handle.indexOf('/') + 1))

const usageOf = (workers: Iterable<AggregateWorker>): Usage =>
  Object.fromEntries(
    [...workers].map(({ handle, parts }) => [
      handle,
      parts.ready.reduce((sum, { load }) => sum + load.used, 0)
    ])
  )
