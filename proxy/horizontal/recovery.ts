// After a tier below, or this one, was replaced: asks those behind which the forgotten nodes are
// what the session has there, and lets what is asked of these nodes wait until that is told.
// Nothing else waits.

import { once } from 'node:events'
import pRetry from 'p-retry'
import type { Announcement } from '../../lib/codec.ts'
import { SessionError, UnknownOutcomeError } from '../../lib/errors.ts'
import { nodeOf } from '../../lib/frame-header.ts'
import {
  type Entry,
  type RecallOptions,
  type Recalled,
  announcementOf,
  encodeRecalled,
  narrowed,
  nodesOf
} from '../../lib/recall.ts'
import type { Frame } from '../../lib/tier.ts'
import { type Handle, type Id, encodeNotification } from '../../lib/wire.ts'
import type { Pipes } from '../pipes.ts'
import type { CallHead, Replies } from '../session.ts'
import type { Child } from './child.ts'
import type { ClusterContext } from './context.ts'
import type { ClusterChildSession } from './placing.ts'

export interface Recoverable extends Replies {
  readonly cluster: ClusterContext
  readonly pipes: Pipes
  /**
   * From the node in a handle to the child behind which it is; null for what was behind a child
   * that is gone.
   */
  readonly routes: Map<string, ClusterChildSession | null>
  branchOf(child: Child, resume: boolean): Promise<ClusterChildSession>
  dispatchAgain(frame: Frame, head: CallHead): void
  found(branch: ClusterChildSession, entry: Entry): void
  /** A child does not answer: what it had is gone. */
  lost(branch: ClusterChildSession, error: Error): void
}

interface Waiting {
  frame: Frame
  head: CallHead
  since: number
}

/** A `tier.recall` of the client that is being answered. */
interface Recall {
  id: Id
  /** The members that the client asked for. */
  members: ReadonlySet<string>
  count: number
}

const RESUMING = { retries: Infinity, factor: 1.5, minTimeout: 50, maxTimeout: 500 }
// To find the parts of pipes.
const MEMBERS = ['id', 'appData']
/** Stands for the node that a new Worker gets. */
export const ANY_NODE = ''

export class Recovery {
  readonly #session: Recoverable
  readonly #waiting = new Map<string, Waiting[]>()
  // What is being asked of each child.
  readonly #asked = new Map<ClusterChildSession, Set<string>>()
  readonly #resuming = new Set<Child>()
  // Those that were asked, and have nothing that this process does not know of: they are asked once,
  // whatever the client recalls.
  readonly #empty = new Set<Child>()
  // Until the client has said which nodes it knows, none is known.
  #isNew = false
  // Those parts of pipes that were found, while not all are.
  #parts: Map<Handle, { branch: ClusterChildSession; announcement: Announcement }> | undefined

  constructor(session: Recoverable) {
    this.#session = session
  }

  /** This process has never had the session. */
  begin() {
    this.#isNew = true
    this.#parts = new Map()
    this.#waiting.set(ANY_NODE, [])
  }

  /** Whether there may be a session on a child, which a new one would end. */
  isResuming(child: Child): boolean {
    return this.#resuming.has(child)
  }

  /** Whether a child is being asked what the session has there. */
  asks(branch: ClusterChildSession): boolean {
    return Boolean(this.#asked.get(branch)?.size)
  }

  /** Whether there is anything that waits, or may have to. */
  get isActive(): boolean {
    return this.#isNew || this.#waiting.size > 0
  }

  /** Keeps a frame for a node if that has to wait. */
  keeps(node: string, frame: Frame, head: CallHead): boolean {
    let queue = this.#waiting.get(node)
    if (!queue && !(this.#isNew && !this.#session.routes.has(node))) return false
    if (!queue) this.#waiting.set(node, (queue = []))
    queue.push({ frame, head, since: performance.now() })
    return true
  }

  /** What has waited for so long, in ms, waits no more. */
  takeLate(timeout: number): CallHead[] {
    const late: CallHead[] = []
    for (const [node, queue] of this.#waiting) {
      const first = queue.findIndex(({ since }) => performance.now() - since < timeout)
      const over = queue.splice(0, first === -1 ? queue.length : first)
      late.push(...over.map(({ head }) => head))
      if (over.length) this.#waiting.set(node, queue)
    }
    return late
  }

  /** A child has forgotten what is on nodes: the client is to recall them. */
  forgotten(branch: ClusterChildSession, nodes: string[]) {
    // It waits to hear that the session has nothing there.
    if (!nodes.length) return void branch.rpc.recall({ nodes }, () => {}).catch(() => {})
    const asked = this.#asked.get(branch)
    const others = nodes.filter(node => !asked?.has(node)) // Those are asked again.
    for (const node of others) if (!this.#waiting.has(node)) this.#waiting.set(node, [])
    if (others.length) this.#session.tell(encodeNotification('tier.forgot', [{ nodes: others }]))
  }

  async recall(id: Id, { nodes, members }: Required<RecallOptions>) {
    const { routes } = this.#session
    const recall: Recall = { id, members: new Set(members), count: 0 }
    for (const node of nodes) if (!this.#waiting.has(node)) this.#waiting.set(node, [])
    if (this.#isNew) {
      this.#isNew = false
      for (const node of this.#waiting.keys())
        if (node !== ANY_NODE && !nodes.includes(node)) this.#release(node)
    }
    const byBranch = Map.groupBy(nodes, node => routes.get(node))
    const finding = this.#find(recall, byBranch.get(undefined) ?? [])
    this.#tell(recall, { entries: [], done: byBranch.get(null) })
    await Promise.all(
      [...byBranch].map(([branch, theirs]) => branch && this.#ask(recall, branch, theirs))
    )
    await finding
    this.#restorePipes()
    return { count: recall.count }
  }

  /** An event came: what is known of a part of a pipe that was found already is older. */
  happened(method: string, handle: Handle) {
    const part = this.#parts?.get(handle)
    if (!part) return
    const { members } = part.announcement
    if (method.endsWith('close')) this.#parts!.delete(handle)
    else if (method.endsWith('producerpause'))
      members.producerPaused = members.dataProducerPaused = true
    else if (method.endsWith('producerresume'))
      members.producerPaused = members.dataProducerPaused = false
  }

  /**
   * Nodes that were not heard of in this process. A leaf says its own; what is behind no leaf that
   * is there is asked of all children that are not leaves.
   */
  async #find(recall: Recall, nodes: string[]) {
    const { cluster } = this.#session
    const left = new Set(nodes)
    const asks: Promise<void>[] = []
    const deadline = performance.now() + cluster.patience
    for (;;) {
      for (const child of left.size ? cluster.children : []) {
        const node = child.hello?.node
        if (node !== undefined && left.delete(node))
          asks.push(this.#askOn(recall, child, [node], deadline))
      }
      const isAnyLate =
        left.size > 0 &&
        [...cluster.children].some(child => !child.hello && cluster.maybeLate(child))
      if (!isAnyLate || performance.now() > deadline) break
      const signal = AbortSignal.timeout(RESUMING.maxTimeout)
      await once(cluster, 'up', { signal }).catch(() => {}) // Perhaps it is too late by now.
    }
    const proxies = left.size ? [...cluster.children].filter(({ hello }) => hello?.proxy) : []
    const late = Promise.all(
      proxies.map(child => this.#askOn(recall, child, [...left], deadline, true))
    )
    asks.push(late.then(() => this.#tell(recall, { entries: [], done: [...left] })))
    this.#release(ANY_NODE)
    await Promise.all(asks)
  }

  /** @param isOneOfMany whether other children are asked for the same nodes */
  async #askOn(
    recall: Recall,
    child: Child,
    nodes: string[],
    deadline: number,
    isOneOfMany = false
  ) {
    const { cluster, routes } = this.#session
    const tellNone = () => {
      this.#empty.add(child)
      this.#tell(recall, { entries: [], done: isOneOfMany ? [] : nodes })
    }
    if (this.#empty.has(child)) return tellNone()
    let branch: ClusterChildSession
    this.#resuming.add(child)
    try {
      // What is on a child that is out of reach for a moment is there all the same, and would be
      // lost.
      branch = await pRetry(() => this.#session.branchOf(child, true), {
        ...RESUMING,
        shouldRetry: ({ error }) =>
          !(error instanceof SessionError) &&
          performance.now() < deadline &&
          cluster.maybeLate(child)
      })
    } catch {
      return tellNone()
    } finally {
      this.#resuming.delete(child)
    }
    await this.#ask(recall, branch, nodes, isOneOfMany)
    if (!isOneOfMany || [...routes.values()].includes(branch)) return
    this.#empty.add(child)
    branch.link.close()
  }

  async #ask(recall: Recall, branch: ClusterChildSession, nodes: string[], isOneOfMany = false) {
    if (!isOneOfMany) for (const node of nodes) this.#session.routes.set(node, branch)
    const asked = this.#asked.get(branch) ?? new Set()
    this.#asked.set(branch, asked)
    for (const node of nodes) asked.add(node)
    const there = new Map<Handle, Entry>()
    try {
      await this.#askAgain(recall, branch, nodes, ({ entries, done = [] }) => {
        for (const entry of entries)
          if (this.#session.pipes.owns(entry[0])) there.set(entry[0], entry)
        this.#found(branch, entries)
        if (!this.#parts) this.#session.pipes.reconcile(new Set(done), there)
        for (const node of done) asked.delete(node)
        this.#tell(recall, { entries, done: isOneOfMany ? [] : done })
      })
    } catch (error) {
      this.#session.lost(branch, error as Error)
      this.#tell(recall, { entries: [], done: isOneOfMany ? [] : nodes })
    } finally {
      for (const node of nodes) asked.delete(node)
    }
  }

  /** A child that is replaced meanwhile is asked again: it may tell some objects twice. */
  async #askAgain(
    recall: Recall,
    branch: ClusterChildSession,
    nodes: string[],
    onRecalled: (recalled: Recalled) => void
  ): Promise<number> {
    try {
      return await branch.rpc.recall(
        { nodes, members: [...new Set([...recall.members, ...MEMBERS])] },
        onRecalled
      )
    } catch (error) {
      if (error instanceof UnknownOutcomeError)
        return this.#askAgain(recall, branch, nodes, onRecalled)
      throw error
    }
  }

  #found(branch: ClusterChildSession, entries: Entry[]) {
    const { pipes } = this.#session
    for (const entry of entries) {
      this.#session.found(branch, entry)
      const announcement = announcementOf(entry)
      if (this.#parts && announcement.appData?.[pipes.tag] !== undefined) {
        this.#parts.set(entry[0], { branch, announcement })
      }
    }
  }

  #tell(recall: Recall, { entries, done = [] }: Omit<Recalled, 'id'>) {
    if (!entries.length && !done.length) return
    recall.count += entries.length
    const told = entries.map(entry => narrowed(entry, recall.members))
    this.#session.tell(encodeRecalled({ id: recall.id, entries: told, done }))
    for (const node of done) if (!this.#hasParts(node)) this.#release(node)
  }

  /** Whether there are parts of pipes on a node, whose other ends may not be found yet. */
  #hasParts(node: string) {
    return [...(this.#parts?.keys() ?? [])].some(handle => nodeOf(handle) === node)
  }

  #restorePipes() {
    if (!this.#parts) return
    const parts = this.#parts
    this.#parts = undefined
    this.#session.pipes.restore([...parts.values()])
    for (const node of nodesOf(parts.keys())) this.#release(node)
  }

  #release(node: string) {
    const queue = this.#waiting.get(node)
    if (!queue) return
    this.#waiting.delete(node)
    for (const { frame, head } of queue) this.#session.dispatchAgain(frame, head)
  }
}
