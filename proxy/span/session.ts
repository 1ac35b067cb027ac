// One session on a vertical tier. Workers, Routers and WebRtcServers of the client are its own, and have parts below; all
// other objects are those of the tier below, and their frames pass as they are.

import type * as ms from 'mediasoup/types'
import type { Announcement } from '../../lib/codec.ts'
import type { Draining } from '../../lib/drain.ts'
import { ConnectionError, UnknownOutcomeError } from '../../lib/errors.ts'
import { type Head, headOf, nodeOf } from '../../lib/head.ts'
import type { Hello } from '../../lib/hello.ts'
import type { Load } from '../../lib/load.ts'
import { errors } from '../../lib/mediasoup.ts'
import { discover } from '../../lib/openrpc.ts'
import {
  type Entry, type RecallOptions, announcementOf, encodeRecalled, entryOf, narrowed, recallOptions, tellEntries
} from '../../lib/recall.ts'
import type { Frame, Link } from '../../lib/tier.ts'
import { version } from '../../lib/version.ts'
import { type Handle, type Id, encodeNotification, notUnique, unknownHandle } from '../../lib/wire.ts'
import { type Branch, type CallHead, ProxySession, paramsOf, unknownMethod, viaOf } from '../session.ts'
import { Below } from './below.ts'
import { Knowledge, type Surroundings } from './knowledge.ts'
import { ObjectCalls } from './object-calls.ts'
import { Reconciliation } from './reconcile.ts'
import { restore, restoreObserved } from './restore.ts'
import { RouterCalls } from './router-calls.ts'
import { ServerCalls } from './server-calls.ts'
import { WorkerCalls } from './worker-calls.ts'

export interface SpanSessionOptions extends Omit<Surroundings, 'below' | 'nextHandle' | 'onNode'> {
  link: Link
  branch: Branch
  /** The tier's name. */
  tier: string
  /** The session's own, at the start of the handles of what has parts. */
  node: string
  /** Another process had the session before. */
  isNew?: boolean
}

// What is to be known of parts again.
const MEMBERS = ['id', 'appData', 'producerId', 'dataProducerId', 'consumableRtpParameters']

export class SpanSession extends ProxySession {
  readonly #tier: string
  readonly #node: string
  readonly #below: Below
  readonly #known: Knowledge
  readonly #workers: WorkerCalls
  readonly #routers: RouterCalls
  readonly #servers: ServerCalls
  readonly #objects: ObjectCalls
  // Those below that the client may not know by handles of its own.
  readonly #nodes = new Set<string>()
  #serial = 0
  // From the client, and from below, until it is found again what there is.
  #waiting: [frame: Frame, head: CallHead][] | undefined
  #later: (() => void)[] | undefined
  #tellsLoad = false

  constructor({ link, branch, tier, node, isNew, ...options }: SpanSessionOptions) {
    super(link)
    this.#tier = tier
    this.#node = node
    this.#waiting = isNew ? [] : undefined
    this.#below = new Below(branch)
    const known = this.#known = new Knowledge({
      ...options,
      below: this.#below,
      nextHandle: () => `${node}/${++this.#serial}`,
      onNode: below => this.#tellNode(below)
    })
    this.#routers = new RouterCalls(known, this)
    this.#servers = new ServerCalls(known, this)
    this.#workers = new WorkerCalls(known, this, this.#routers, this.#servers)
    this.#objects = new ObjectCalls(known, this)
    branch.link.on('frame', (frame, head) => this.#fromBelow(frame, head))
    branch.link.once('close', error => link.close(error ?? new ConnectionError('the tier below closed the connection')))
    this.#listenToLoad()
  }

  protected override end() {
    this.#known.end()
    this.#below.link.close()
  }

  protected override dispatch(head: CallHead, frame: Frame) {
    const { id, method, handle } = head
    const { spans } = this.#known
    if (id != null && this.#below.isAsked(id)) throw notUnique(id)
    // A second recall is about what the first one finds.
    const mayPass = method === 'tier.hello' || (method === 'tier.recall' && !this.#later)
    if (this.#waiting && !mayPass) return void this.#waiting.push([frame, head])
    switch (method) {
      case 'tier.hello': return this.settle(id, this.#greet(viaOf(frame)))
      case 'tier.load': return this.#subscribeToLoad(id)
      case 'tier.pipeListenInfo':
      case 'tier.locate': return this.#below.forward(id, method, [spans.homeOf(handle!)])
      case 'tier.recall': {
        if (id == null) throw unknownMethod(method)
        return this.settle(id, this.#recall(id, recallOptions(paramsOf(frame))))
      }
      case 'tier.drain': return this.#below.forward(id, method, paramsOf(frame))
      case 'rpc.discover': return this.answer(id, discover())
      case 'mediasoup.createWorker': return this.settle(id, this.#workers.create(paramsOf(frame)[0] as Record<string, unknown>))
    }
    const kind = method.slice(0, method.indexOf('.'))
    switch (kind) {
      case 'Worker': {
        const worker = spans.workers.get(handle!)
        return worker ? this.#workers.call(worker, head, frame) : refuse(kind, head)
      }
      case 'Router': {
        const router = spans.routers.get(handle!)
        return router ? this.#routers.call(router, head, frame) : refuse(kind, head)
      }
      case 'WebRtcServer': {
        const server = spans.servers.get(handle!)
        return server ? this.#servers.call(server, head) : refuse(kind, head)
      }
      default: return this.#objects.call(head, frame)
    }
  }

  async #greet(via: string[]): Promise<Hello> {
    const hello = await this.#below.call('tier.hello', { via: [...via, this.#tier] }) as Hello
    return { ...hello, mafalda: version, node: this.#tier, proxy: true }
  }

  #fromBelow(frame: Frame, head: Head | undefined = headOf(frame)) {
    this.holdBack(this.#below.link)
    if (this.#below.caller.takes(head?.id, frame)) return
    switch (head?.method) {
      case 'tier.recalled': return this.#below.caller.told(frame)
      case 'tier.forgot': return this.#forgot((paramsOf(frame)[0] as { nodes?: string[] } | undefined)?.nodes)
      case 'tier.nodes': return (paramsOf(frame)[0] as string[]).forEach(node => this.#tellNode(node))
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
      case 'tier.load': return this.#loadReported(frame)
      case 'tier.draining': return void this.#draining(paramsOf(frame)[0] as Draining)
    }
    switch (method.slice(0, method.indexOf('.'))) {
      case 'Worker': return this.#workers.partHappened(head, frame)
      case 'Router': return this.#routers.partHappened(head, frame)
      case 'WebRtcServer': return this.#servers.partHappened(head, frame)
    }
    const { pipes } = this.#known
    if (handle !== undefined && pipes.owns(handle)) pipes.happened(head as Required<Head>)
    else this.#objects.happened(head, frame)
  }

  // What there is, after a tier was replaced

  // ← {"method": "tier.nodes", "params": [["k3x"]]}
  #tellNode(node: string) {
    if (this.#nodes.has(node)) return
    this.#nodes.add(node)
    this.tell(encodeNotification('tier.nodes', [[node]]))
  }

  /** A tier below has forgotten what is on nodes: the client is to recall them. Without nodes, it is the one that this tier speaks to. */
  #forgot(nodes?: string[]) {
    if (!nodes) {
      for (const answer of this.#below.forgotten()) this.tell(answer)
      this.#listenToLoad() // It does not tell it any more.
    }
    if (!this.#waiting) this.tell(encodeNotification('tier.forgot', [{ nodes: nodes ?? [...this.#nodes] }]))
    else if (nodes) this.#later?.push(() => this.#forgot(nodes))
  }

  // → {"id": 31, "method": "tier.recall", "params": [{"nodes": ["k3x"], "members": ["id"]}]}
  async #recall(id: Id, { nodes, members }: Required<RecallOptions>) {
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
    const entries = this.#waiting ? await this.#restore(options) : await this.#reconcile(options, isOwn, tellPart)
    const told = entries.map(entry => narrowed(entry, names))
    count += await tellEntries(this.link, frame => this.tell(frame), id, told, nodes)
    this.#goOn()
    return { count }
  }

  /** Drops what is gone, and passes on what is told; answers the client's own objects, if it asks for them. */
  async #reconcile(options: RecallOptions, isOwn: boolean, tellPart: (entries: Entry[], done: string[]) => void): Promise<Entry[]> {
    const reconciliation = new Reconciliation(this.#known)
    await this.#below.caller.recall(options, ({ entries, done = [] }) => {
      const told = reconciliation.told(entries)
      reconciliation.done(new Set(done), (handle, frame) => this.#workers.partHappened({ method: 'Worker.died', handle }, frame))
      tellPart(told, done)
    })
    return isOwn ? [...reconciliation.own()] : []
  }

  /** Finds again what another process knew. */
  async #restore(options: RecallOptions): Promise<Entry[]> {
    this.#later = []
    const found: Announcement[] = []
    try {
      await this.#below.caller.recall(options, ({ entries }) => found.push(...entries.map(announcementOf)))
    } catch (error) {
      if (error instanceof UnknownOutcomeError) return this.#restore(options) // It was replaced meanwhile.
      throw error
    }
    const known = this.#known
    const { announcements, orphans, observed } = restore(found, known)
    for (const { kind, $ } of orphans) this.#below.notify(`${kind}.close`, $)
    await Promise.all(observed.map(async part => {
      restoreObserved(await this.#below.call('Router.dump', part.handle) as ms.RouterDump, found, part, known)
    }))
    for (const part of known.spans.workerParts.values()) {
      this.#tellNode(nodeOf(part.handle))
      known.growth.giveBackLater(part)
    }
    this.#serial = Math.max(0, ...known.spans.handles().map(serialOf))
    return announcements.map(announcement => entryOf(announcement, options.members ?? []))
  }

  #goOn() {
    const [waiting, later] = [this.#waiting, this.#later]
    this.#waiting = this.#later = undefined
    for (const deliver of later ?? []) deliver()
    for (const [frame, head] of waiting ?? []) this.receive(frame, head)
  }

  // Hosts that drain

  /** Leaves a host that is to end, as far as it can, and says which Workers it takes with it; their transports are the client's to move. */
  async #draining({ workers, cancelled = false, ...host }: Draining) {
    const { growth, spans } = this.#known
    const parts = workers.flatMap(handle => spans.workerParts.get(handle) ?? [])
    for (const part of parts) part.draining = !cancelled
    const owners = [...new Set(parts.map(({ owner }) => owner))].filter(({ closing }) => !closing)
    const isLasting = await Promise.all(owners.map(owner => !cancelled && growth.evacuate(owner)))
    if (!owners.length || parts.some(({ draining }) => draining === cancelled)) return // It was told otherwise in the meantime.
    const ending = owners.filter((_, i) => !isLasting[i]).map(({ handle }) => handle)
    this.tell(encodeNotification('tier.draining', [{ ...host, ...cancelled && { cancelled }, workers: ending } satisfies Draining]))
  }

  // Load

  #listenToLoad() {
    this.#below.call('tier.load').then(load => { this.#known.growth.load = load as Load }, () => {}) // The link is closed then, or it is asked anew.
  }

  #subscribeToLoad(id: Id | null | undefined) {
    this.#tellsLoad = true
    this.answer(id, this.#known.growth.load)
  }

  #loadReported(frame: Frame) {
    this.#known.growth.load = paramsOf(frame)[0] as Load
    if (this.#tellsLoad && this.link.bufferedAmount === 0) this.tell(frame)
  }
}

const serialOf = (handle: Handle) => Number(handle.slice(handle.indexOf('/') + 1))

/** What is not answered may be about an object that is gone. */
function refuse(kind: string, { id, handle }: CallHead) {
  if (id != null) throw new errors.NotFoundError(unknownHandle(kind, handle))
}
