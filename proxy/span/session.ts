// One session on a vertical tier. Workers, Routers and WebRtcServers of the client are its own, and have parts below; all
// other objects are those of the tier below, and their frames pass as they are.

import type * as ms from 'mediasoup/types'
import type { Announcement } from '../../lib/codec.ts'
import type { Draining } from '../../lib/drain.ts'
import { ConnectionError } from '../../lib/errors.ts'
import { type Head, headOf } from '../../lib/head.ts'
import type { Hello } from '../../lib/hello.ts'
import type { Load } from '../../lib/load.ts'
import { errors } from '../../lib/mediasoup.ts'
import { encodeDiscovery } from '../../lib/openrpc.ts'
import type { Frame, Link } from '../../lib/tier.ts'
import { version } from '../../lib/version.ts'
import { type Id, encodeNotification, notUnique, unknownHandle } from '../../lib/wire.ts'
import { type Branch, type CallHead, ProxySession, paramsOf, viaOf } from '../session.ts'
import { Below } from './below.ts'
import { Knowledge, type Surroundings } from './knowledge.ts'
import { ObjectCalls } from './object-calls.ts'
import { restore, restoreObserved } from './restore.ts'
import { RouterCalls } from './router-calls.ts'
import { ServerCalls } from './server-calls.ts'
import { WorkerCalls } from './worker-calls.ts'

export interface SpanSessionOptions extends Omit<Surroundings, 'below'> {
  link: Link
  branch: Branch
  /** Its own, at the start of its handles. */
  node: string
}

export class SpanSession extends ProxySession {
  readonly #node: string
  readonly #surroundings: Surroundings
  readonly #below: Below
  // Begun anew when the client recalls.
  #known!: Knowledge
  #workers!: WorkerCalls
  #routers!: RouterCalls
  #servers!: ServerCalls
  #objects!: ObjectCalls
  #tellsLoad = false

  constructor({ link, branch, node, ...options }: SpanSessionOptions) {
    super(link)
    this.#node = node
    this.#below = new Below(branch)
    this.#surroundings = { ...options, below: this.#below }
    this.#begin()
    branch.link.on('frame', (frame, head) => this.#fromBelow(frame, head))
    branch.link.on('dropped', error => this.fail(null, error))
    branch.link.once('close', error => link.close(error ?? new ConnectionError('the tier below closed the connection')))
    this.#listenToLoad()
  }

  #begin() {
    const known = this.#known = new Knowledge(this.#surroundings)
    this.#routers = new RouterCalls(known, this)
    this.#servers = new ServerCalls(known, this)
    this.#workers = new WorkerCalls(known, this, this.#routers, this.#servers)
    this.#objects = new ObjectCalls(known, this)
  }

  protected override end() {
    this.#known.end()
    this.#below.link.close()
  }

  protected override dispatch(head: CallHead, frame: Frame) {
    const { id, method, handle } = head
    const { spans } = this.#known
    if (id != null && this.#below.isAsked(id)) throw notUnique(id)
    this.holdOff(this.#below.link, head)
    switch (method) {
      case 'tier.hello': return this.settle(id, this.#greet(viaOf(frame)))
      case 'tier.load': return this.#subscribeToLoad(id)
      case 'tier.pipeListenInfo':
      case 'tier.locate': return this.#below.forward(id, method, [spans.homeOf(handle!)])
      case 'tier.recall': return this.#recall(id)
      case 'tier.drain': return this.#below.forward(id, method, paramsOf(frame))
      case 'rpc.discover': return void (id != null && this.tell(encodeDiscovery(id), { id }))
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
    const hello = await this.#below.call('tier.hello', { via: [...via, this.#node] }) as Hello
    return { ...hello, mafalda: version, node: this.#node }
  }

  #fromBelow(frame: Frame, head: Head | undefined = headOf(frame)) {
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

  // What there is, after somebody has forgotten

  /** The client asks for all that there is: because a tier has forgotten, perhaps this one. */
  #recall(id: Id | null | undefined) {
    this.#below.forget()
    this.answerRecall(id, this.#recallAll())
  }

  async #recallAll(): Promise<Announcement[]> {
    const found = await this.recallFrom(this.#below)
    const { load } = this.#known.growth
    this.#known.end()
    this.#begin()
    const known = this.#known
    known.growth.load = load
    this.#listenToLoad() // Whoever has forgotten does not tell it any more.
    const { announcements, orphans, observed } = restore(found, known)
    for (const { kind, $ } of orphans) this.#below.notify(`${kind}.close`, $)
    await Promise.all(observed.map(async part => restoreObserved(await this.#below.call('Router.dump', part.handle) as ms.RouterDump, found, part, known)))
    for (const part of known.spans.workerParts.values()) known.growth.giveBackLater(part)
    return announcements
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

/** What is not answered may be about an object that is gone. */
function refuse(kind: string, { id, handle }: CallHead) {
  if (id != null) throw new errors.NotFoundError(unknownHandle(kind, handle))
}
