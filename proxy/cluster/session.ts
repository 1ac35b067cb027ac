// One session on a cluster: routes frames between its client and the sessions that it opens on children.

import pRetry from 'p-retry'
import type { Budget } from '../../lib/budget.ts'
import type { Announcement } from '../../lib/codec.ts'
import { type Created, announcedBy, createdBy } from '../../lib/created.ts'
import { effectOf } from '../../lib/effects.ts'
import { ConnectionError, DrainingError, SessionError, describeError, reviveError } from '../../lib/errors.ts'
import { nodeOf } from '../../lib/frame-header.ts'
import type { Head } from '../../lib/frame.ts'
import { errors } from '../../lib/mediasoup.ts'
import { encodeDiscovery } from '../../lib/openrpc.ts'
import { type SessionKey, keyBelow } from '../../lib/opening.ts'
import type { Frame, Link } from '../../lib/tier.ts'
import { type Failure, type Handle, type Id, decode, encodeNotification, normalizeIfMessage, notUnique, unknownHandle } from '../../lib/wire.ts'
import { Caller, TIMEOUT_CHECKS, timeoutError } from '../caller.ts'
import type { Cluster } from '../horizontal.ts'
import { type Found, Pipes } from '../pipes.ts'
import { Piping } from '../piping.ts'
import { type CallHead, ProxySession, paramsOf, unknownMethod, viaOf } from '../session.ts'
import type { Child } from './child.ts'
import { type ChildBranch, type Placement, Placing } from './placing.ts'

interface InFlight {
  branch: ChildBranch
  method: string
  since: number
  placement?: Placement
}

const RESUMING = { retries: Infinity, factor: 1.5, minTimeout: 50, maxTimeout: 500 }

export class ClusterSession extends ProxySession {
  /** The tiers above: none of them may be below. */
  via: string[] = []
  readonly #cluster: Cluster
  readonly #branches = new Map<Child, Promise<ChildBranch>>()
  // From the node in a handle to the child behind which it is; null for what was behind a child that is gone.
  readonly #routes = new Map<string, ChildBranch | null>()
  readonly #inFlight = new Map<Id, InFlight>()
  readonly #key: SessionKey | undefined
  readonly #budget: Budget | undefined
  readonly #pipes: Pipes
  readonly #piping: Piping
  readonly #placing: Placing
  readonly #timer: NodeJS.Timeout
  // Of the hosts that its Workers may go to.
  #model: string | undefined
  #logLevels: unknown
  #tellsUsage = false

  /** @param key that of the session, from which those of its sessions on children come */
  constructor(cluster: Cluster, link: Link, key?: SessionKey, budget?: Budget) {
    super(link)
    this.#cluster = cluster
    this.#budget = budget
    this.#key = key
    this.#pipes = new Pipes(key?.session ?? cluster.node, frame => this.link.send(frame))
    this.#piping = new Piping(this.#pipes)
    this.#placing = new Placing(cluster, child => this.#branchOf(child), () => this.#model)
    this.#timer = setInterval(() => this.#checkTimeouts(), cluster.timeout / TIMEOUT_CHECKS).unref()
  }

  /** Another process had the session before: finds what belongs to it on the children. Rejects with a SessionError when nothing does. */
  async revive() {
    const deadline = performance.now() + this.#cluster.patience
    const found = await Promise.allSettled([...this.#cluster.children].map(child => this.#resume(child, deadline)))
    if (found.some(({ status }) => status === 'fulfilled')) return
    this.link.close()
    const unreachable = found.find(result => result.status === 'rejected' && !(result.reason instanceof SessionError))
    throw (unreachable as PromiseRejectedResult | undefined)?.reason ?? new SessionError('the session is gone: no host of the cluster has anything of it')
  }

  /** What is on a child that is out of reach for a moment is there all the same, and would be lost. */
  #resume(child: Child, deadline: number): Promise<ChildBranch> {
    return pRetry(() => this.#branchOf(child, true), {
      ...RESUMING,
      shouldRetry: ({ error }) => !(error instanceof SessionError) && performance.now() < deadline && this.#cluster.maybeLate(child)
    })
  }

  /** A child is taken out. */
  async leave(child: Child) {
    const branch = await this.#branches.get(child)?.catch(() => undefined)
    if (!branch) return
    this.#lost(branch, new ConnectionError('the host was taken out of the cluster'))
    branch.link.close()
  }

  protected override dispatch(head: CallHead, frame: Frame) {
    const { id, method, handle } = head
    if (id != null && this.#inFlight.has(id)) throw notUnique(id)
    switch (method) {
      case 'tier.hello': {
        this.via = viaOf(frame)
        return this.settle(id, this.#hello())
      }
      case 'tier.load': return this.#subscribeToLoad(id, frame)
      case 'tier.usage': return this.#subscribeToUsage(id)
      case 'tier.log': return this.#subscribeToLogs(head, frame)
      case 'tier.recall': return this.#recall(id)
      case 'tier.drain': throw new errors.UnsupportedError('a cluster is drained host by host: ask each at its own URL')
      case 'rpc.discover': return void (id != null && this.tell(encodeDiscovery(id), { id }))
      case 'mediasoup.createWorker': return this.#place(head, frame)
      case 'Router.pipeToRouter': return this.#pipe(id!, handle!, frame)
      // A Worker is known until its process is gone.
      case 'Worker.close': for (const router of this.#pipes.objects.childrenOf(handle!)) this.#pipes.objects.remove(router.handle); break
      default: if (effectOf(method) === 'closes') this.#pipes.objects.remove(handle!, method.slice(0, method.indexOf('.')))
    }
    const branch = handle === undefined ? undefined : this.#routes.get(nodeOf(handle))
    if (branch) return this.#forward(branch, head, frame)
    if (branch === null && id !== undefined) throw new errors.WorkerClosedError(`the host of ${handle} is gone`)
    if (handle === undefined) throw unknownMethod(method)
    // What is not answered may be about an object that is gone.
    if (id !== undefined) throw new errors.NotFoundError(unknownHandle(method.startsWith('tier.') ? 'object' : method.slice(0, method.indexOf('.')), handle))
  }

  async #hello() {
    const hello = await this.#cluster.hello(this.via)
    this.#model = hello.model
    return hello
  }

  #forward(branch: ChildBranch, head: CallHead, frame: Frame, placement?: Placement) {
    const { id, method } = head
    this.holdOff(branch.link, head)
    if (id != null) this.#inFlight.set(id, { branch, method, since: performance.now(), placement })
    else placement?.placed(true)
    branch.link.send(frame, head)
  }

  #place(head: CallHead, frame: Frame) {
    void this.#placing.place((branch, placement) => this.#forward(branch, head, frame, placement), error => this.fail(head.id, error))
  }

  #branchOf(child: Child, resume = false): Promise<ChildBranch> {
    let branch = this.#branches.get(child)
    if (!branch) {
      branch = this.#open(child, resume)
      this.#branches.set(child, branch)
      branch.catch(() => this.#branches.delete(child))
    }
    return branch
  }

  async #open(child: Child, resume: boolean): Promise<ChildBranch> {
    const link = await child.tier.open({ key: this.#key && keyBelow(this.#key, child.tier.name ?? ''), resume, budget: this.#budget })
    const branch = { child, link, caller: new Caller(link, { name: child.tier.name, timeout: this.#cluster.timeout }) }
    link.on('frame', (frame, head) => this.#fromChild(branch, frame, head))
    link.on('dropped', error => this.fail(null, error))
    link.once('close', (error = new ConnectionError('the connection to the host was closed')) => {
      const queue = this.queueOf(link)
      if (queue) queue.push(() => this.#lost(branch, error))
      else this.#lost(branch, error)
    })
    if (this.#logLevels) branch.caller.notify('tier.log', this.#logLevels)
    if (this.#tellsUsage) subscribeToUsage(branch)
    return branch
  }

  /** The client asks for all that there is: because a tier has forgotten, perhaps this one. */
  #recall(id: Id | null | undefined) {
    this.#abandon()
    this.answerRecall(id, this.#recallAll())
  }

  /** Nobody waits for what was asked before. */
  #abandon() {
    this.#placing.abandon()
    for (const { placement } of this.#inFlight.values()) placement?.placed(false)
    this.#inFlight.clear()
  }

  async #recallAll(): Promise<Announcement[]> {
    const branches = (await Promise.allSettled(this.#branches.values())).filter(result => result.status === 'fulfilled').map(({ value }) => value)
    const found = (await Promise.all(branches.map(branch => this.#recallOf(branch)))).flat()
    this.#pipes.clear()
    for (const { branch, announcement: { $, kind, of } } of found) this.#add(branch, { handle: $, kind, of })
    this.#pipes.restore(found)
    return found.map(({ announcement }) => announcement)
  }

  async #recallOf(branch: ChildBranch): Promise<Found<ChildBranch>[]> {
    try {
      return (await this.recallFrom(branch)).map(announcement => ({ branch, announcement }))
    } catch {
      return [] // It is lost, with all it had.
    }
  }

  #fromChild(branch: ChildBranch, received: Frame, known: Head | undefined) {
    const { frame, head } = normalizeIfMessage(received, known)
    this.holdBack(branch.link)
    if (branch.caller.takes(head?.id, frame)) return
    if (head?.method === 'tier.forgot') this.forgotten(branch)
    const queue = this.queueOf(branch.link)
    if (queue) queue.push(() => this.#heard(branch, frame, head))
    else this.#heard(branch, frame, head)
  }

  #heard(branch: ChildBranch, frame: Frame, head: Head | undefined) {
    if (head?.method === undefined) {
      if (this.#answered(branch, head?.id, frame)) this.link.send(frame, head)
      return
    }
    const announced = effectOf(head.method) === 'announces' ? announcedBy(frame) : undefined
    if (announced) this.#routes.set(nodeOf(announced.handle), branch)
    this.link.send(frame, head)
    if (head.handle !== undefined) this.#pipes.happened(head as Required<Head>)
  }

  /** An object is there: its node is behind that child. Of all that there are, only Workers, Routers and parts of pipes are kept. */
  #add(branch: ChildBranch, { handle, kind, of }: Created) {
    this.#routes.set(nodeOf(handle), branch)
    if (kind === 'Worker' || (kind === 'Router' && of !== undefined)) this.#pipes.objects.add(handle, kind, of, { branch })
  }

  /** Whether somebody still waits for the answer. */
  #answered(branch: ChildBranch, id: Id | null | undefined, frame: Frame): boolean {
    const { method, placement } = this.#inFlight.get(id!) ?? {}
    if (id != null && !this.#inFlight.delete(id)) return false
    if (effectOf(method!) !== 'creates') return true
    const created = createdBy(frame)
    if (created) this.#add(branch, created)
    if (!placement) return true
    placement.placed(created !== undefined)
    const refusal = !created && refusalIn(frame)
    if (!refusal) return true
    placement.tryNext(refusal)
    return false
  }

  #pipe(id: Id, handle: Handle, frame: Frame) {
    const [, options] = paramsOf(frame) as [Handle, { router?: { $?: Handle } } | undefined]
    const target = options?.router?.$
    const [from, to] = [handle, target].map(router => typeof router === 'string' ? this.#routes.get(nodeOf(router)) : undefined)
    if (!from || !to || from === to) return this.#forwardOrFail(from, { id, method: 'Router.pipeToRouter', handle }, frame)
    const pipe = this.#piping.pipeToRouter({ branch: from, router: handle }, { branch: to, router: target! }, options as object)
    this.settle(id, pipe.then(value => ({ value })))
  }

  #forwardOrFail(branch: ChildBranch | null | undefined, head: CallHead, frame: Frame) {
    if (!branch) throw new errors.NotFoundError(unknownHandle('Router', head.handle))
    this.#forward(branch, head, frame)
  }

  /** A child died, or was taken out: so did its Workers, and nothing else. */
  #lost(branch: ChildBranch, error: Error) {
    if (!this.#branches.delete(branch.child)) return
    for (const [node, route] of this.#routes) if (route === branch) this.#routes.set(node, null)
    for (const [id, request] of this.#inFlight) {
      if (request.branch !== branch) continue
      this.#inFlight.delete(id)
      request.placement?.placed(false)
      if (request.placement) request.placement.tryNext(error, this.#cluster.has(branch.child.tier) ? branch.child : undefined)
      else this.fail(id, new errors.WorkerClosedError(error.message))
    }
    for (const { handle, kind, data } of [...this.#pipes.objects.values()]) {
      if (kind !== 'Worker' || data.branch !== branch) continue
      this.#pipes.objects.remove(handle)
      this.link.send(encodeNotification('Worker.died', [handle, { died: true, subprocessClosed: true }, { $: 'error', ...describeError(error) }]))
    }
  }

  #checkTimeouts() {
    const { timeout } = this.#cluster
    for (const [id, request] of this.#inFlight) {
      const { branch, method, since } = request
      if (performance.now() - since < timeout) return // They are in the order in which they were sent.
      this.#inFlight.delete(id)
      request.placement?.placed(false)
      this.fail(id, timeoutError(branch.child.tier.name ?? '', method, timeout))
    }
  }

  #subscribeToLogs({ id, method }: CallHead, frame: Frame) {
    // Each host would answer.
    if (id !== undefined) throw unknownMethod(method)
    ;[this.#logLevels] = paramsOf(frame)
    for (const branch of this.#branches.values()) branch.then(({ link }) => link.send(frame), () => {})
  }

  #subscribeToLoad(id: Id | null | undefined, frame: Frame) {
    const { subscribe = true } = Object(paramsOf(frame)[0]) as { subscribe?: boolean }
    this.#cluster.off('load', this.#tellLoad)
    if (subscribe) this.#cluster.on('load', this.#tellLoad)
    this.answer(id, this.#cluster.load)
  }

  /** The hosts tell it from now on, also those on which the session has nothing yet. */
  #subscribeToUsage(id: Id | null | undefined) {
    this.#tellsUsage = true
    for (const branch of this.#branches.values()) branch.then(subscribeToUsage, () => {})
    this.answer(id, {})
  }

  #tellLoad = () => {
    if (this.link.bufferedAmount === 0) this.link.send(encodeNotification('tier.load', [this.#cluster.load]))
  }

  protected override end() {
    clearInterval(this.#timer)
    this.#cluster.off('load', this.#tellLoad)
    this.#abandon()
    for (const branch of this.#branches.values()) branch.then(({ link }) => link.close(), () => {})
    this.#branches.clear()
  }
}

// The host tells again what it answers, in the order of its other messages.
const subscribeToUsage = ({ caller }: ChildBranch) => void caller.call('tier.usage').catch(() => {}) // It is lost.

/** That of a host that drains. */
function refusalIn(frame: Frame): DrainingError | undefined {
  const { error } = decode(frame) as { error?: Failure }
  const refusal = error && reviveError(error)
  return refusal instanceof DrainingError ? refusal : undefined
}
