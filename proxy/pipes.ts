// The pipes between Routers on different children: which transports, Consumers and Producers are
// their parts, and what ends with what. The objects are on the leaves; here is only which belongs
// to which.

import type * as ms from 'mediasoup/types'
import type { Announcement } from '../lib/codec.ts'
import { effectOf, isEnd } from '../lib/effects.ts'
import { nodeOf } from '../lib/frame-header.ts'
import { errors } from '../lib/mediasoup.ts'
import { ObjectTree, type TreeNode } from '../lib/object-tree.ts'
import type { Entry } from '../lib/recall.ts'
import type { Frame } from '../lib/tier.ts'
import { type Handle, encodeNotification } from '../lib/wire.ts'
import type { ChildSession } from './session.ts'

export interface End {
  branch: ChildSession
  router: Handle
}

export interface TransportEnd extends End {
  transport: Handle
  members: PipeTransportMembers
}

export interface PipeTransportMembers {
  id: string
  tuple: ms.TransportTuple
  srtpParameters?: unknown
}

export interface PipePair {
  /** Once both are there. */
  ends: TransportEnd[]
  ended: boolean
  /** Settles when they are connected, or cannot be. What was sent before is carried out later. */
  connected: Promise<void>
  /**
   * Whether leaves let what uses a Producer wait for one that is on its way, so that it can be sent
   * right behind.
   */
  isOrdered: boolean
}

export const newPair = (): PipePair => ({
  ends: [],
  ended: false,
  connected: Promise.resolve(),
  isOrdered: false
})

/** The end of a pipe at one of its Routers. */
export const endAt = ({ ends }: PipePair, { router }: End) =>
  ends.find(end => end.router === router)!

/** What carries one Producer across. */
export interface PipedStream {
  pair: PipePair
  from: { branch: ChildSession; kind: string; handle: Handle }
  to?: { branch: ChildSession; kind: string; handle: Handle }
  /** Whether it is paused with its Producer. */
  follows: boolean
  /** Whether what it is of is paused. */
  sourcePaused: boolean
  paused: boolean
  ended: boolean
}

/** An object that there is, and where. */
export interface Found<B extends ChildSession = ChildSession> {
  branch: B
  announcement: Announcement
}

/** What is known of an object beside its place in the tree. */
export interface Located {
  branch: ChildSession
  /** Of a transport or Consumer that is part of a pipe: its id. */
  id?: string
  pair?: PipePair
  stream?: PipedStream
}

// In the name of a pipe whose DataProducer is paused with the original.
export const WHOLLY = ' wholly'

export class Pipes {
  /** What the appData of their parts has beside their client's, to find them again. */
  readonly tag: string
  readonly tell: (frame: Frame) => void
  readonly #ended: (handle: Handle) => void
  // By its two Routers; some are still being made.
  readonly pairs = new Map<string, Promise<PipePair>>()
  /**
   * Routers, below Workers where these are known, and the parts of pipes on them. Whoever removes
   * one ends its pipes.
   */
  readonly objects = new ObjectTree<Located>({ onRemoved: node => this.#removed(node) })
  /** Ids of the transports and Consumers that are parts of pipes. */
  readonly ids = new Set<string>()
  // Of transports of which the client has not been told.
  readonly #early = new Map<Handle, Frame[]>()

  /** @param ended is told each pipe Producer that is gone */
  constructor(
    tag: string,
    tell: (frame: Frame) => void,
    ended: (handle: Handle) => void = () => {}
  ) {
    this.tag = tag
    this.tell = tell
    this.#ended = ended
  }

  /** Whether a transport, Consumer or Producer is part of a pipe. */
  owns(handle: Handle): boolean {
    const node = this.objects.get(handle)
    return node !== undefined && isPart(node)
  }

  /** The Consumer at the other end of a pipe Producer. */
  sourceOf(handle: Handle): Handle | undefined {
    return this.objects.get(handle)?.data.stream?.from.handle
  }

  endStreamOf(handle: Handle) {
    const stream = this.objects.get(handle)?.data.stream
    if (stream) this.endStream(stream)
  }

  /** Whether an event has to wait until the client was told of the transport that it is about. */
  keeps(handle: Handle, frame: Frame): boolean {
    const early = this.#early.get(handle)
    early?.push(frame)
    return early !== undefined
  }

  happened({ method, handle }: { method: string; handle: Handle }) {
    const effect = effectOf(method)
    if (isEnd(effect)) return this.objects.remove(handle)
    if (effect !== 'pauses' && effect !== 'resumes') return
    const stream = this.objects.get(handle)?.data.stream
    if (stream?.from.handle !== handle) return
    stream.sourcePaused = effect === 'pauses'
    if (stream.follows) this.#pause(stream, stream.sourcePaused)
  }

  routerClosed(router: Handle) {
    this.objects.remove(router)
  }

  /**
   * What is on nodes was told again: a part that is missing has ended, and those that are there are
   * paused alike.
   */
  reconcile(nodes: ReadonlySet<string>, there: ReadonlyMap<Handle, Entry>) {
    for (const {
      handle,
      data: { stream }
    } of [...this.objects.values()].filter(
      node => isPart(node) && nodes.has(nodeOf(node.handle))
    )) {
      const entry = there.get(handle)
      if (!entry) this.objects.remove(handle)
      else if (stream?.follows) this.#comparePaused(stream, entry)
    }
  }

  #comparePaused(
    stream: PipedStream,
    [handle, , , { paused, producerPaused, dataProducerPaused }]: Entry
  ) {
    const isPaused = Boolean(producerPaused ?? dataProducerPaused)
    if (handle === stream.from.handle && isPaused !== stream.paused) this.#pause(stream, isPaused)
    else if (handle === stream.to?.handle && Boolean(paused) !== stream.paused)
      this.#pause(stream, stream.paused)
  }

  /** Nothing is known any more: all is about to be told. */
  clear() {
    this.objects.clear()
    this.pairs.clear()
    this.ids.clear()
    this.#early.clear()
  }

  /** Finds the pipes again in all that there is; what is left of broken ones is closed. */
  restore(found: Found[]) {
    const named = Map.groupBy(found, ({ announcement }) => announcement.appData?.[this.tag])
    named.delete(undefined)
    for (const [name, parts] of named)
      if (parts[0]!.announcement.kind === 'PipeTransport') this.#restorePair(name, parts)
    for (const [name, parts] of named)
      if (parts[0]!.announcement.kind !== 'PipeTransport') this.#restoreStream(name, parts)
  }

  // Whoever made them may have been gone before they were connected. A client could give a
  // transport of its own such a tag; one that does not fit is closed, so that it is not hidden from
  // the client's limits.
  #restorePair(name: unknown, parts: Found[]) {
    const all = parts
      .filter(({ announcement: { kind } }) => kind === 'PipeTransport')
      .map(
        ({ branch, announcement: { $, of, members } }): TransportEnd => ({
          branch,
          router: of!,
          transport: $,
          members: members as unknown as PipeTransportMembers
        })
      )
    const [one, other] = all.filter(end =>
      all.some(({ members }) => areConnected(end.members.tuple, members.tuple))
    )
    if (!one || !other || parts.length !== 2 || name !== nameOf(one, other))
      return this.#closeAll(parts)
    for (const end of [one, other]) {
      this.addRouter(end)
      this.addTransport(end)
    }
    this.pairs.set(name, Promise.resolve(this.remember([one, other])))
  }

  #restoreStream(name: unknown, parts: Found[]) {
    const from = parts.find(({ announcement: { kind } }) => kind.endsWith('Consumer'))
    const to = parts.find(({ announcement: { kind } }) => kind.endsWith('Producer'))
    const pair = this.objects.get(from?.announcement.of)?.data.pair
    if (!from || !to || !pair || parts.length !== 2) return this.#closeAll(parts)
    const stream = this.begin(pair, from.branch, from.announcement)
    this.arrive(stream, to.branch, to.announcement)
    stream.follows = from.announcement.kind === 'Consumer' || String(name).endsWith(WHOLLY)
    const { producerPaused, dataProducerPaused } = from.announcement.members
    const paused = Boolean(producerPaused ?? dataProducerPaused)
    stream.paused = Boolean(to.announcement.members.paused)
    if (stream.follows && stream.paused !== paused) this.#pause(stream, paused)
  }

  #closeAll(parts: Found[]) {
    for (const {
      branch,
      announcement: { kind, $ }
    } of parts)
      this.close({ branch, kind, handle: $ })
  }

  /** A Router is to have pipes. Those of a spanning tier are first heard of here. */
  addRouter({ branch, router }: End) {
    this.objects.add(router, 'Router', undefined, { branch })
  }

  /** It got none. */
  dropRouter({ router }: End) {
    if (!this.objects.get(router)?.parent && !this.objects.hasChildren(router))
      this.objects.remove(router)
  }

  /** A transport is there, and is to become the end of a pair. */
  addTransport({ branch, router, transport, members: { id } }: TransportEnd) {
    this.#addPart(transport, 'PipeTransport', router, { branch, id })
  }

  /** One that is new: what happens to it waits until the client is told of it. */
  addNewTransport(end: TransportEnd) {
    this.addTransport(end)
    this.#early.set(end.transport, [])
  }

  /** The client is told of it, and of what has happened to it since. */
  tellTransport({ router, transport }: TransportEnd, announcement: Announcement) {
    this.tell(encodeNotification('Router.newtransport', [router, null, announcement]))
    const early = this.#early.get(transport) ?? []
    this.#early.delete(transport)
    for (const frame of early) this.tell(frame)
  }

  #addPart(handle: Handle, kind: string, parent: Handle | undefined, part: Located): boolean {
    if (!this.objects.add(handle, kind, parent, part)) return false
    if (part.id !== undefined) this.ids.add(part.id)
    return true
  }

  /** It does not. */
  closeTransport({ branch, transport }: TransportEnd) {
    this.#early.delete(transport)
    if (!this.objects.get(transport)) return
    this.objects.remove(transport)
    this.close({ branch, kind: 'PipeTransport', handle: transport })
  }

  /** @throws NotFoundError when a Router was closed meanwhile */
  remember(ends: [TransportEnd, TransportEnd], pair = newPair()): PipePair {
    const nodes = ends.map(({ transport }) => this.objects.get(transport))
    if (!nodes.every(node => node !== undefined))
      throw new errors.NotFoundError('the Router was closed')
    pair.ends = ends
    for (const { data } of nodes) data.pair = pair
    return pair
  }

  /** A Consumer is there, of what is to cross. */
  begin(pair: PipePair, branch: ChildSession, { kind, $, of, members }: Announcement): PipedStream {
    const stream: PipedStream = {
      pair,
      from: { branch, kind, handle: $ },
      follows: true,
      sourcePaused: Boolean(members.producerPaused ?? members.dataProducerPaused),
      paused: false,
      ended: false
    }
    stream.ended = !this.#addPart($, kind, of, { branch, id: members.id as string, stream })
    return stream
  }

  /** And a Producer at the other end. */
  arrive(stream: PipedStream, branch: ChildSession, { kind, $, of }: Announcement) {
    stream.to = { branch, kind, handle: $ }
    if (stream.ended) this.close(stream.to)
    else if (!this.#addPart($, kind, of, { branch, stream })) this.endStream(stream)
  }

  #pause(stream: PipedStream, paused: boolean) {
    stream.paused = paused
    // Before it has arrived, pipeToRouter() compares.
    if (stream.to) setPaused(stream).catch(() => {}) // Closed in the meantime.
  }

  /** Something is gone: so is its counterpart at the other end. */
  #removed({ data: { id, pair, stream } }: TreeNode<Located>) {
    if (id !== undefined) this.ids.delete(id)
    if (pair) this.#endPair(pair)
    if (stream) this.endStream(stream)
  }

  endStream(stream: PipedStream) {
    if (stream.ended) return
    stream.ended = true
    for (const end of [stream.from, stream.to]) {
      if (!end || !this.objects.get(end.handle)) continue
      this.objects.remove(end.handle)
      if (!stream.pair.ended) this.close(end)
    }
    if (stream.to) this.#ended(stream.to.handle)
  }

  #endPair(pair: PipePair) {
    if (pair.ended) return
    pair.ended = true
    this.pairs.delete(nameOf(pair.ends[0]!, pair.ends[1]!))
    for (const end of pair.ends) if (this.objects.get(end.transport)) this.closeTransport(end)
  }

  /** Closes it on its host, and tells the client, which may know already. */
  close({ branch, kind, handle }: { branch: ChildSession; kind: string; handle: Handle }) {
    branch.rpc.notify(`${kind}.close`, handle)
    this.tell(encodeNotification(`${kind}.close`, [handle, null]))
  }
}

const isPart = ({ kind, data }: TreeNode<Located>) =>
  kind === 'PipeTransport' || data.stream !== undefined

export const nameOf = (one: End, other: End) => [one.router, other.router].toSorted().join()

/** Whether the PipeTransports with these tuples are the ends of one pipe. */
export const areConnected = (one: ms.TransportTuple, other: ms.TransportTuple) =>
  one.remotePort === other.localPort &&
  one.remoteIp === other.localAddress &&
  other.remotePort === one.localPort &&
  other.remoteIp === one.localAddress

export async function setPaused({ to, paused }: PipedStream) {
  await to!.branch.rpc.call(`${to!.kind}.${paused ? 'pause' : 'resume'}`, to!.handle)
}
