// One session on a vertical tier. Workers, Routers and WebRtcServers of the client are its own, and have parts below; all
// other objects are those of the tier below, and their frames pass as they are.

import type * as ms from 'mediasoup/types'
import type { Announcement } from '../../lib/codec.ts'
import type { Draining } from '../../lib/drain.ts'
import { ConnectionError } from '../../lib/errors.ts'
import type { Head } from '../../lib/frame.ts'
import type { Hello } from '../../lib/hello.ts'
import type { Load, Usage } from '../../lib/load.ts'
import { errors } from '../../lib/mediasoup.ts'
import { encodeDiscovery } from '../../lib/openrpc.ts'
import type { Frame, Link } from '../../lib/tier.ts'
import { version } from '../../lib/version.ts'
import { type Id, encodeNotification, normalizeIfMessage, notUnique, unknownHandle } from '../../lib/wire.ts'
import { type Branch, type CallHead, ProxySession, paramsOf, viaOf } from '../session.ts'
import { Downstream } from './downstream.ts'
import { ObjectCalls } from './object-calls.ts'
import { restore, restoreObserved } from './restore.ts'
import { RouterCalls } from './router-calls.ts'
import { ServerCalls } from './server-calls.ts'
import { type SessionContext, SessionState } from './state.ts'
import type { AggregateWorker } from './types.ts'
import { WorkerCalls } from './worker-calls.ts'

export interface VerticalSessionOptions extends Omit<SessionContext, 'below'> {
  link: Link
  branch: Branch
  /** Its own, at the start of its handles. */
  node: string
}

export class VerticalSession extends ProxySession {
  readonly #node: string
  readonly #context: SessionContext
  readonly #below: Downstream
  // Begun anew when the client recalls.
  #state!: SessionState
  #workers!: WorkerCalls
  #routers!: RouterCalls
  #servers!: ServerCalls
  #objects!: ObjectCalls
  // Settles when it is known what Workers use, or that it cannot be.
  #measured!: Promise<void>
  #tellsUsage = false

  constructor({ link, branch, node, ...options }: VerticalSessionOptions) {
    super(link)
    this.#node = node
    this.#below = new Downstream(branch)
    this.#context = { ...options, below: this.#below }
    this.#begin()
    branch.link.on('frame', (frame, head) => this.#fromBelow(frame, head))
    branch.link.on('dropped', error => this.fail(null, error))
    branch.link.once('close', error => link.close(error ?? new ConnectionError('the tier below closed the connection')))
    this.#listenToUsage()
  }

  #begin() {
    const state = this.#state = new SessionState(this.#context)
    this.#routers = new RouterCalls(state, this)
    this.#servers = new ServerCalls(state, this)
    this.#workers = new WorkerCalls(state, this, this.#routers, this.#servers)
    this.#objects = new ObjectCalls(state, this)
  }

  protected override end() {
    this.#state.end()
    this.#context.settings.tierLoad.unlisten(this.#tellLoad)
    this.#below.link.close()
  }

  protected override dispatch(head: CallHead, frame: Frame) {
    const { id, method, handle } = head
    const { tables } = this.#state
    if (id != null && this.#below.isAsked(id)) throw notUnique(id)
    this.holdOff(this.#below.link, head)
    switch (method) {
      case 'tier.hello': return this.settle(id, this.#greet(viaOf(frame)))
      case 'tier.load': return this.#subscribeToLoad(id, frame)
      case 'tier.usage': return this.#subscribeToUsage(id)
      case 'tier.pipeListenInfo':
      case 'tier.locate': return this.#below.forward(id, method, [tables.homeOf(handle!)])
      case 'tier.recall': return this.#recall(id)
      case 'tier.drain': return this.#below.forward(id, method, paramsOf(frame))
      case 'rpc.discover': return void (id != null && this.tell(encodeDiscovery(id), { id }))
      case 'mediasoup.createWorker': return this.settle(id, this.#workers.create(paramsOf(frame)[0] as Record<string, unknown>))
    }
    const kind = method.slice(0, method.indexOf('.'))
    switch (kind) {
      case 'Worker': {
        const worker = tables.worker(handle!)
        return worker ? this.#workers.call(worker, head, frame) : refuse(kind, head)
      }
      case 'Router': {
        const router = tables.router(handle!)
        return router ? this.#routers.call(router, head, frame) : refuse(kind, head)
      }
      case 'WebRtcServer': {
        const server = tables.server(handle!)
        return server ? this.#servers.call(server, head) : refuse(kind, head)
      }
      default: return this.#objects.call(head, frame)
    }
  }

  async #greet(via: string[]): Promise<Hello> {
    const hello = await this.#below.call('tier.hello', { via: [...via, this.#node] }) as Hello
    return { ...hello, mafalda: version, node: this.#node }
  }

  #fromBelow(received: Frame, known: Head | undefined) {
    const { frame, head } = normalizeIfMessage(received, known)
    this.holdBack(this.#below.link)
    if (this.#below.caller.takes(head?.id, frame)) return
    if (head?.method === 'tier.forgot') this.forgotten(this.#below)
    const queue = this.queueOf(this.#below.link)
    if (queue) queue.push(() => this.#heard(frame, head))
    else this.#heard(frame, head)
  }

  #heard(frame: Frame, head: Head | undefined) {
    if (head?.method === undefined) this.tell(this.#below.answered(frame, head?.id), head && { id: head.id })
    else this.#happened(head as CallHead, frame)
  }

  #happened(head: CallHead, frame: Frame) {
    const { method, handle } = head
    switch (method) {
      case 'tier.usage': return this.#usageReported(paramsOf(frame)[0] as Usage)
      case 'tier.draining': return void this.#draining(paramsOf(frame)[0] as Draining)
    }
    switch (method.slice(0, method.indexOf('.'))) {
      case 'Worker': return this.#workers.partHappened(head, frame)
      case 'Router': return this.#routers.partHappened(head, frame)
      case 'WebRtcServer': return this.#servers.partHappened(head, frame)
    }
    const { pipes } = this.#state
    if (handle !== undefined && pipes.owns(handle)) pipes.happened(head as Required<Head>)
    else this.#objects.happened(head, frame)
  }

  // What there is, after somebody has forgotten

  /** The client asks for all that there is: because a tier has forgotten, perhaps this one. */
  #recall(id: Id | null | undefined) {
    this.#below.forget()
    this.answerRecall(id, this.#recallAll())
  }

  async #recallAll(): Promise<Announcement[]> {
    const found = await this.recallFrom(this.#below)
    this.#state.end()
    this.#begin()
    const state = this.#state
    const { announcements, orphans, observed } = restore(found, state)
    this.#listenToUsage() // Whoever has forgotten does not tell it any more.
    for (const { kind, $ } of orphans) this.#below.notify(`${kind}.close`, $)
    await Promise.all(observed.map(async part => restoreObserved(await this.#below.call('Router.dump', part.handle) as ms.RouterDump, found, part, state)))
    for (const part of state.tables.workerParts.values()) state.scaler.giveBackLater(part)
    return announcements
  }

  // Hosts that drain

  /** Leaves a host that is to end, as far as it can, and says which Workers it takes with it; their transports are the client's to move. */
  async #draining({ workers, cancelled = false, ...host }: Draining) {
    const { scaler, tables } = this.#state
    const parts = workers.flatMap(handle => tables.workerParts.get(handle) ?? [])
    for (const part of parts) part.draining = !cancelled
    const owners = [...new Set(parts.map(({ owner }) => owner))].filter(({ closed }) => !closed)
    const isLasting = await Promise.all(owners.map(owner => !cancelled && scaler.evacuate(owner)))
    if (!owners.length || parts.some(({ draining }) => draining === cancelled)) return // It was told otherwise in the meantime.
    const ending = owners.filter((_, i) => !isLasting[i]).map(({ handle }) => handle)
    this.tell(encodeNotification('tier.draining', [{ ...host, ...cancelled && { cancelled }, workers: ending } satisfies Draining]))
  }

  // Load

  #subscribeToLoad(id: Id | null | undefined, frame: Frame) {
    const { tierLoad } = this.#context.settings
    const { subscribe = true } = Object(paramsOf(frame)[0]) as { subscribe?: boolean }
    if (subscribe) tierLoad.listen(this.#tellLoad)
    else tierLoad.unlisten(this.#tellLoad)
    this.answer(id, tierLoad.load)
  }

  #tellLoad = (load: Load) => {
    if (this.link.bufferedAmount === 0) this.tell(encodeNotification('tier.load', [load]))
  }

  #listenToUsage() {
    this.#measured = this.#below.call('tier.usage').then(usage => this.#usageReported(usage as Usage), () => {}) // The tier below cannot tell, or is asked anew.
  }

  #subscribeToUsage(id: Id | null | undefined) {
    this.#tellsUsage = true
    this.settle(id, this.#measured.then(() => usageOf(this.#state.tables.workers.values())))
  }

  #usageReported(usage: Usage) {
    const owners = new Set<AggregateWorker>()
    for (const [handle, cores] of Object.entries(usage)) {
      const part = this.#state.tables.workerParts.get(handle)
      if (!part) continue
      part.load.used = cores
      owners.add(part.owner)
    }
    if (this.#tellsUsage && owners.size) this.tell(encodeNotification('tier.usage', [usageOf(owners)]))
  }
}

const usageOf = (workers: Iterable<AggregateWorker>): Usage =>
  Object.fromEntries([...workers].map(({ handle, parts }) => [handle, parts.ready.reduce((sum, { load }) => sum + load.used, 0)]))

/** What is not answered may be about an object that is gone. */
function refuse(kind: string, { id, handle }: CallHead) {
  if (id != null) throw new errors.NotFoundError(unknownHandle(kind, handle))
}
