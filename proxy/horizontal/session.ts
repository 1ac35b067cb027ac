// One session on a cluster: routes frames between its client and the sessions that it opens on
// children.

import { CONSUMING, type Wanted, unknownProducer } from '../../lib/borrow.ts'
import { type Created, announcedBy, createdBy } from '../../lib/created.ts'
import { effectOf } from '../../lib/effects.ts'
import {
  ConnectionError,
  IncompatibleError,
  SessionError,
  codes,
  describeError,
  reviveError,
  unknownOutcome
} from '../../lib/errors.ts'
import { nodeOf } from '../../lib/frame-header.ts'
import type { Head } from '../../lib/frame.ts'
import { errors } from '../../lib/mediasoup.ts'
import { methods } from '../../lib/methods.ts'
import { type SessionKey, deriveChildKey } from '../../lib/handshake.ts'
import type { Entry, RecallOptions } from '../../lib/recall.ts'
import { inProxyOf } from '../../lib/tier-model.ts'
import type { Frame, Link, OpenOptions } from '../../lib/tier.ts'
import {
  type Failure,
  type Handle,
  type Id,
  decode,
  encodeNotification,
  headerOf,
  normalizeIfMessage,
  notUnique,
  unknownHandle
} from '../../lib/wire.ts'
import { RpcClient, TIMEOUT_CHECKS, timeoutError } from '../rpc-client.ts'
import { Pipes } from '../pipes.ts'
import { Piping } from '../pipe-to-router.ts'
import { type CallHead, ProxySession, paramsOf, refuseUnknown, unknownMethod } from '../session.ts'
import { Borrowing } from './borrowing.ts'
import type { Child } from './child.ts'
import type { ClusterContext } from './context.ts'
import { type ClusterChildSession, type Placement, Placing } from './placing.ts'
import { ANY_NODE, type Recoverable, Recovery } from './recovery.ts'

interface InFlight {
  branch: ClusterChildSession
  method: string
  since: number
  placement?: Placement
  /** The request itself, if it consumes: it is sent again when the Producer was brought. */
  consumes?: Frame
  /** It was sent on a connection that broke. */
  isUncertain?: boolean
}

// How long a session on a host is kept for another try, when it made nothing there.
const EMPTY_MS = 1_000

export class ClusterSession extends ProxySession implements Recoverable {
  /** The tiers above: none of them may be below. */
  via: string[] = []
  readonly cluster: ClusterContext
  readonly #branches = new Map<Child, Promise<ClusterChildSession>>()
  readonly #lostBranches = new WeakSet<ClusterChildSession>()
  readonly #leaving = new WeakSet<ClusterChildSession>()
  readonly routes = new Map<string, ClusterChildSession | null>()
  readonly #inFlight = new Map<Id, InFlight>()
  readonly #key: SessionKey | undefined
  readonly #options: Pick<OpenOptions, 'budget' | 'entry' | 'realm'>
  readonly pipes: Pipes
  readonly #piping: Piping
  readonly #borrowing: Borrowing
  readonly #placing: Placing
  readonly #recovery = new Recovery(this)
  readonly #timer: NodeJS.Timeout
  // Of the hosts that its Workers may go to.
  #model: string | undefined
  #logLevels: unknown
  #tellsUsage = false
  #ended = false

  /** @param options the key is that of the session, from which those of its sessions on children come */
  constructor(
    cluster: ClusterContext,
    link: Link,
    { key, budget, entry, realm, whose }: OpenOptions = {}
  ) {
    super(link, { load: cluster, survey: cluster.survey }, whose)
    this.cluster = cluster
    this.#options = { budget, entry, realm }
    this.#key = key
    this.pipes = new Pipes(key?.session ?? cluster.node, frame => this.link.send(frame))
    this.#piping = new Piping(this.pipes)
    this.#borrowing = new Borrowing({
      children: () => cluster.children,
      realm,
      piping: this.#piping,
      branchOf: child => this.branchOf(child),
      onNode: (node, branch) => this.routes.set(node, branch)
    })
    this.#placing = new Placing(
      cluster,
      child => this.branchOf(child),
      () => this.#model
    )
    this.#timer = setInterval(() => this.#checkTimeouts(), cluster.timeout / TIMEOUT_CHECKS).unref()
  }

  /** Another process had the session before: the client says which nodes it knows. */
  revive() {
    this.#recovery.begin()
  }

  async leave(child: Child) {
    const branch = await this.#branches.get(child)?.catch(() => undefined)
    if (!branch) return
    this.lost(branch, new ConnectionError('the host was taken out of the cluster'))
  }

  protected override dispatch(head: CallHead, frame: Frame) {
    const { id, method, handle } = head
    if (id != null && this.#inFlight.has(id)) throw notUnique(id)
    if (
      this.#recovery.isActive &&
      handle !== undefined &&
      this.#recovery.keeps(nodeOf(handle), frame, head)
    )
      return
    switch (inProxyOf(method)) {
      case 'own':
        return this.dispatchOwn(head, frame)
      case 'each':
        if (method === 'tier.usage') return this.#subscribeToUsage(id)
        return this.#subscribeToLogs(head, frame)
      case 'search':
        return this.#search(head, frame)
      case 'host':
        throw new errors.UnsupportedError(
          'a cluster is drained host by host: ask each at its own URL'
        )
    }
    switch (method) {
      case 'mediasoup.createWorker':
        return this.#recovery.keeps(ANY_NODE, frame, head) ? undefined : this.#place(head, frame)
      case 'Router.pipeToRouter':
        return this.#pipe(head, frame)
      // A Worker is known until its process is gone.
      case 'Worker.close':
        for (const router of this.pipes.objects.childrenOf(handle!))
          this.pipes.objects.remove(router.handle)
        break
      default:
        if (effectOf(method) === 'closes')
          this.pipes.objects.remove(handle!, method.slice(0, method.indexOf('.')))
    }
    const branch = handle === undefined ? undefined : this.routes.get(nodeOf(handle))
    if (branch) return this.#forward(branch, head, frame)
    if (branch === null && id !== undefined)
      throw new errors.WorkerClosedError(`the host of ${handle} is gone`)
    if (handle === undefined) throw unknownMethod(method)
    refuseUnknown(head)
  }

  protected override async hello(via: string[]) {
    this.via = via
    const hello = await this.cluster.hello(this.via)
    this.#model = hello.model
    return hello
  }

  #forward(branch: ClusterChildSession, head: CallHead, frame: Frame, placement?: Placement) {
    const { id, method } = head
    this.holdOff(branch.link, head)
    if (id != null) {
      const consumes = BORROWING.has(method) ? frame : undefined
      this.#inFlight.set(id, { branch, method, since: performance.now(), placement, consumes })
    }
    if (id == null) placement?.placed(true)
    branch.link.send(frame, head)
  }

  #place(head: CallHead, frame: Frame) {
    void this.#placing.place(
      (branch, placement) => this.#forward(branch, head, frame, placement),
      error => this.fail(head.id, error)
    )
  }

  branchOf(child: Child, resume = false): Promise<ClusterChildSession> {
    if (this.#ended) return Promise.reject(new SessionError('the session has ended'))
    let branch = this.#branches.get(child)
    if (!branch) {
      branch = this.#open(child, resume)
      this.#branches.set(child, branch)
      branch.catch(() => this.#branches.delete(child))
    }
    return branch
  }

  async #open(child: Child, resume: boolean): Promise<ClusterChildSession> {
    const link = await child.tier.open({
      key: this.#key && deriveChildKey(this.#key, child.keyName),
      resume: resume || this.#recovery.isResuming(child),
      whose: this.whose,
      ...this.#options
    })
    const branch = {
      child,
      link,
      rpc: new RpcClient(link, { name: child.tier.name, timeout: this.cluster.timeout })
    }
    link.on('frame', (frame, head) => this.#fromChild(branch, frame, head))
    link.on('dropped', error => this.fail(null, error))
    link.on('lost', () => {
      for (const request of this.#inFlight.values())
        if (request.branch === branch) request.isUncertain = true
    })
    link.once('close', (error = new ConnectionError('the connection to the host was closed')) =>
      this.lost(branch, error)
    )
    if (this.#logLevels) branch.rpc.notify('tier.log', this.#logLevels)
    if (this.#tellsUsage) subscribeToUsage(branch)
    return branch
  }

  override *surveyedHandles() {
    for (const { handle, kind } of this.pipes.objects.values())
      if (kind === 'Worker' || kind === 'Router') yield handle
  }

  protected override recall(id: Id, options: Required<RecallOptions>) {
    return this.#recovery.recall(id, options)
  }

  /**
   * A child has forgotten what is on nodes; without them it is another process than before, and
   * what it was sent is not answered.
   */
  #forgot(branch: ClusterChildSession, nodes?: string[]) {
    if (!nodes) {
      branch.rpc.forgotten()
      for (const [id, { method }] of this.#abandon(
        branch,
        ({ isUncertain = false }) => isUncertain
      ))
        this.fail(id, unknownOutcome(method))
      if (this.#logLevels) branch.rpc.notify('tier.log', this.#logLevels)
      if (this.#tellsUsage) subscribeToUsage(branch)
    }
    this.#recovery.forgotten(
      branch,
      nodes ?? [...this.routes].filter(([, route]) => route === branch).map(([node]) => node)
    )
  }

  found(branch: ClusterChildSession, [handle, kind, of]: Entry) {
    this.#add(branch, { handle, kind, of: of ?? undefined })
  }

  dispatchAgain(frame: Frame, head: CallHead) {
    this.receive(frame, head)
  }

  #fromChild(branch: ClusterChildSession, received: Frame, known: Head | undefined) {
    const { frame, head } = normalizeIfMessage(received, known)
    this.holdBack(branch.link)
    if (branch.rpc.takes(head?.id, frame)) return
    switch (head?.method) {
      case 'tier.recalled':
        return branch.rpc.told(frame)
      case 'tier.forgot':
        return this.#forgot(branch, (paramsOf(frame)[0] as { nodes?: string[] } | undefined)?.nodes)
      case 'tier.nodes':
        for (const node of paramsOf(frame)[0] as string[]) this.routes.set(node, branch)
    }
    this.#heard(branch, frame, head)
  }

  #heard(branch: ClusterChildSession, frame: Frame, head: Head | undefined) {
    if (head?.method === undefined) {
      if (this.#answered(branch, head?.id, frame)) this.link.send(frame, head)
      return
    }
    const announced = effectOf(head.method) === 'announces' ? announcedBy(frame) : undefined
    if (announced) this.routes.set(nodeOf(announced.handle), branch)
    if (head.handle === undefined || !this.pipes.keeps(head.handle, frame))
      this.link.send(frame, head)
    if (head.handle === undefined) return
    this.pipes.happened(head as Required<Head>)
    this.#recovery.happened(head.method, head.handle)
  }

  /**
   * An object is there: its node is behind that child. Of all that there are, only Workers, Routers
   * and parts of pipes are kept.
   */
  #add(branch: ClusterChildSession, { handle, kind, of }: Created) {
    this.routes.set(nodeOf(handle), branch)
    if (kind === 'Worker' || (kind === 'Router' && of !== undefined))
      this.pipes.objects.add(handle, kind, of, { branch })
  }

  /** Whether somebody still waits for the answer. */
  #answered(branch: ClusterChildSession, id: Id | null | undefined, frame: Frame): boolean {
    const { method, placement, consumes } = this.#inFlight.get(id!) ?? {}
    if (id != null && !this.#inFlight.delete(id)) {
      branch.rpc.closeUnknown(frame) // It came too late.
      return false
    }
    if (effectOf(method!) !== 'creates') return true
    const created = createdBy(frame)
    if (consumes !== undefined && !created && this.#bring(branch, id!, consumes, frame))
      return false
    const other = created && placement && this.routes.get(nodeOf(created.handle))
    if (other && other !== branch) {
      branch.rpc.closeUnknown(frame)
      placement.placed(false)
      placement.tryNext(belowTwo(created.handle, other.child, branch.child))
      this.#leaveIfEmpty(branch)
      return false
    }
    if (created) this.#add(branch, created)
    if (!placement) return true
    placement.placed(created !== undefined)
    if (!created) this.#leaveIfEmpty(branch)
    const refusal = !created && refusalIn(frame)
    if (!refusal) return true
    placement.tryNext(refusal)
    return false
  }

  /**
   * A session on a host that made no Worker for it would count there for nothing. What is tried
   * again at once needs no other one.
   */
  #leaveIfEmpty(branch: ClusterChildSession) {
    if (this.#leaving.has(branch)) return
    this.#leaving.add(branch)
    const isUsed = () =>
      this.#recovery.asks(branch) ||
      [...this.routes.values()].includes(branch) ||
      [...this.#inFlight.values()].some(request => request.branch === branch)
    setTimeout(() => {
      this.#leaving.delete(branch)
      if (!isUsed()) this.lost(branch, new ConnectionError('the session has nothing on the host'))
    }, EMPTY_MS).unref()
  }

  /** tier.find, tier.search and tier.borrow. */
  #search({ id, method }: CallHead, frame: Frame) {
    if (id == null) throw unknownMethod(method)
    const params = paramsOf(frame)
    this.settle(
      id,
      method === 'tier.borrow'
        ? this.#borrowing.borrow(params)
        : this.#borrowing.find(method, params)
    )
  }

  /**
   * A child does not have what is to be consumed there: if a session on another one has it, it is
   * piped, and consumed then. Answers whether that is tried.
   */
  #bring(branch: ClusterChildSession, id: Id, consumes: Frame, answer: Frame): boolean {
    const { error } = decode(answer) as { error?: Failure }
    // What is not there was read: a call that cannot be is refused for that.
    if ((error?.data as { name?: unknown } | undefined)?.name !== 'NotFoundError') return false
    const [transport, options] = paramsOf(consumes) as [Handle, Wanted]
    const isData = headerOf(consumes)?.method?.endsWith('consumeData')
    const { producerId, dataProducerId } = Object(options) as Wanted
    const wanted = (isData ? { dataProducerId } : { producerId }) as Wanted
    if (error!.message !== unknownProducer(wanted).message) return false
    const { method } = headerOf(consumes)!
    const request: InFlight = { branch, method: method!, since: performance.now() }
    this.#inFlight.set(id, request)
    const isAwaited = () => this.#inFlight.get(id) === request
    this.#borrowing.bring(branch, transport, wanted).then(
      () => isAwaited() && branch.link.send(consumes),
      cause => {
        if (!isAwaited()) return
        this.#inFlight.delete(id)
        if (cause instanceof errors.NotFoundError) this.link.send(answer)
        else this.fail(id, cause)
      }
    )
    return true
  }

  #pipe(head: CallHead, frame: Frame) {
    const { id, handle } = head as { id: Id; handle: Handle }
    const [, options] = paramsOf(frame) as [Handle, { router?: { $?: Handle } } | undefined]
    const target = options?.router?.$
    if (typeof target === 'string' && this.#recovery.keeps(nodeOf(target), frame, head)) return
    const [from, to] = [handle, target].map(router =>
      typeof router === 'string' ? this.routes.get(nodeOf(router)) : undefined
    )
    if (!from || !to || from === to) return this.#forwardOrFail(from, head, frame)
    const pipe = this.#piping.pipeToRouter(
      { branch: from, router: handle },
      { branch: to, router: target! },
      options as object
    )
    this.settle(
      id,
      pipe.then(value => ({ value }))
    )
  }

  #forwardOrFail(branch: ClusterChildSession | null | undefined, head: CallHead, frame: Frame) {
    if (!branch) throw new errors.NotFoundError(unknownHandle('Router', head.handle))
    this.#forward(branch, head, frame)
  }

  /** A child died, or was taken out: so did its Workers, and nothing else. */
  lost(branch: ClusterChildSession, error: Error) {
    if (this.#lostBranches.has(branch) || this.#ended) return
    this.#lostBranches.add(branch)
    this.#branches.delete(branch.child)
    branch.link.close()
    for (const [node, route] of this.routes) if (route === branch) this.routes.set(node, null)
    const again = this.cluster.has(branch.child.tier) ? branch.child : undefined
    for (const [id, { placement }] of this.#abandon(branch)) {
      if (placement) placement.tryNext(error, again)
      else this.fail(id, new errors.WorkerClosedError(error.message))
    }
    for (const { handle, kind, parent, data } of [...this.pipes.objects.values()]) {
      const isBorrowed = kind === 'Router' && !parent
      if ((kind !== 'Worker' && !isBorrowed) || data.branch !== branch) continue
      this.pipes.objects.remove(handle)
      if (isBorrowed) continue
      this.link.send(
        encodeNotification('Worker.died', [
          handle,
          { died: true, subprocessClosed: true },
          { $: 'error', ...describeError(error) }
        ])
      )
    }
  }

  /** The requests to a child that it will not answer. */
  *#abandon(branch: ClusterChildSession, isMeant: (request: InFlight) => boolean = () => true) {
    for (const [id, request] of this.#inFlight) {
      if (request.branch !== branch || !isMeant(request)) continue
      this.#inFlight.delete(id)
      request.placement?.placed(false)
      yield [id, request] as const
    }
  }

  /** Does something on each child on which the session is, or is about to be. */
  #onEach(act: (branch: ClusterChildSession) => void) {
    for (const branch of this.#branches.values()) branch.then(act, () => {})
  }

  #checkTimeouts() {
    const { timeout } = this.cluster
    for (const [id, request] of this.#inFlight) {
      const { branch, method, since } = request
      // They are in the order in which they were sent.
      if (performance.now() - since < timeout) break
      this.#inFlight.delete(id)
      request.placement?.placed(false)
      this.fail(id, timeoutError(branch.child.tier.name ?? '', method, timeout))
    }
    for (const { id, method } of this.#recovery.takeLate(timeout)) {
      if (id != null)
        this.fail(
          id,
          new ConnectionError(`${method}() has waited for its host to come back for ${timeout} ms`)
        )
    }
  }

  #subscribeToLogs({ id, method }: CallHead, frame: Frame) {
    // Each host would answer.
    if (id !== undefined) throw unknownMethod(method)
    ;[this.#logLevels] = paramsOf(frame)
    this.#onEach(({ link }) => link.send(frame))
  }

  /** The hosts tell it from now on, also those on which the session has nothing yet. */
  #subscribeToUsage(id: Id | null | undefined) {
    this.#tellsUsage = true
    this.#onEach(subscribeToUsage)
    this.answer(id, {})
  }

  protected override end() {
    this.#ended = true
    clearInterval(this.#timer)
    this.#placing.abandon()
    for (const { placement } of this.#inFlight.values()) placement?.placed(false)
    this.#onEach(({ link }) => link.close())
    this.#branches.clear()
  }
}

// What may be of another session: a pipe is made of what is known.
const BORROWING: ReadonlySet<string> = new Set(
  [...methods.values()]
    .filter(({ kind, member }) => CONSUMING.has(member) && kind !== 'PipeTransport')
    .map(({ kind, member }) => `${kind}.${member}`)
)

// The host tells again what it answers, in the order of its other messages.
// It is lost.
const subscribeToUsage = ({ rpc: caller }: ClusterChildSession) =>
  void caller.call('tier.usage').catch(() => {})

/** What is asked of an object goes by its host's name: so that must be behind one child. */
const belowTwo = (handle: Handle, ...children: Child[]) =>
  new IncompatibleError(
    `a cluster has each host once, and ${nodeOf(handle)} is below ${children.map(({ keyName }) => keyName).join(' and ')}`
  )

/** That of a host that drains, or has no room: another one may have. */
function refusalIn(frame: Frame): Error | undefined {
  const { error } = decode(frame) as { error?: Failure }
  const isElsewhere = error?.code === codes.draining || error?.code === codes.exhausted
  return isElsewhere ? reviveError(error) : undefined
}
