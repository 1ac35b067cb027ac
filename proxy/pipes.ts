// The pipes between Routers on different children: which transports, Consumers and Producers are their parts, and what ends with
// what. The objects are on the leaves; here is only which belongs to which.

import type * as ms from 'mediasoup/types'
import type { Announcement } from '../lib/codec.ts'
import { nodeOf } from '../lib/head.ts'
import type { Entry } from '../lib/recall.ts'
import type { Frame } from '../lib/tier.ts'
import { type Handle, encodeNotification } from '../lib/wire.ts'
import type { Branch } from './session.ts'

export interface End {
  branch: Branch
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

export interface Pair {
  ends: [TransportEnd, TransportEnd]
  legs: Set<Leg>
}

/** What carries one Producer across. */
export interface Leg {
  pair: Pair
  /** Of its Consumer. */
  id: string
  from: { branch: Branch; kind: string; handle: Handle }
  to?: { branch: Branch; kind: string; handle: Handle }
  /** Whether it is paused with its Producer. */
  follows: boolean
  paused: boolean
  ended: boolean
}

/** An object that there is, and where. */
export interface Found<B extends Branch = Branch> {
  branch: B
  announcement: Announcement
}

// In the name of a pipe whose DataProducer is paused with the original.
export const WHOLLY = ' wholly'

export class Pipes {
  /** What the appData of their parts has beside their client's, to find them again. */
  readonly tag: string
  /** Sends a frame to the client. */
  readonly tell: (frame: Frame) => void
  readonly #ended: (handle: Handle) => void
  // By its two Routers; some are still being made.
  readonly pairs = new Map<string, Promise<Pair>>()
  // By the handles of transports, Routers, Consumers and Producers that are parts of them.
  readonly #pairOf = new Map<Handle, Set<Pair>>()
  readonly #legOf = new Map<Handle, Leg>()
  readonly #transports = new Set<Handle>()

  /** Ids of the transports and Consumers that are parts of pipes. */
  readonly ids = new Set<string>()

  /** @param ended is told each pipe Producer that is gone */
  constructor(tag: string, tell: (frame: Frame) => void, ended: (handle: Handle) => void = () => {}) {
    this.tag = tag
    this.tell = tell
    this.#ended = ended
  }

  /** Whether a transport, Consumer or Producer is part of a pipe. */
  owns(handle: Handle): boolean {
    return this.#legOf.has(handle) || this.#transports.has(handle)
  }

  /** The Consumer at the other end of a pipe Producer. */
  sourceOf(handle: Handle): Handle | undefined {
    return this.#legOf.get(handle)?.from.handle
  }

  /** Ends the pipe of a Producer. */
  endLegOf(handle: Handle) {
    const leg = this.#legOf.get(handle)
    if (leg) this.endLeg(leg)
  }

  /** An event came from a child. */
  happened({ method, handle }: { method: string; handle: Handle }) {
    const leg = this.#legOf.get(handle)
    if (leg?.from.handle === handle && leg.follows) {
      if (method.endsWith('.pause')) this.#pause(leg, true)
      else if (method.endsWith('.resume')) this.#pause(leg, false)
    }
    if (/\.(producerclose|dataproducerclose|routerclose|close)$/.test(method)) this.objectClosed(handle)
  }

  /** A transport, Consumer or Producer was closed, by the client or on its host: so is its counterpart. */
  objectClosed(handle: Handle) {
    const leg = this.#legOf.get(handle)
    if (leg) return this.endLeg(leg, handle)
    for (const pair of this.#pairOf.get(handle) ?? []) this.#endPair(pair, handle)
  }

  /** A Router is gone, with its end of each pipe. */
  routerClosed(router: Handle) {
    for (const pair of this.#pairOf.get(router) ?? []) this.#endPair(pair, router)
  }

  /** Finds the pipes again in all that there is; what is left of broken ones is closed. */
  restore(found: Found[]) {
    for (const known of [this.pairs, this.#pairOf, this.#legOf, this.#transports, this.ids]) known.clear()
    const named = Map.groupBy(found, ({ announcement }) => announcement.appData?.[this.tag])
    named.delete(undefined)
    for (const [name, parts] of named) if (parts[0]!.announcement.kind === 'PipeTransport') this.#restorePair(name as string, parts)
    for (const [name, parts] of named) if (parts[0]!.announcement.kind !== 'PipeTransport') this.#restoreLeg(name as string, parts)
  }

  /** What is on nodes was told again: a part that is missing has ended, and those that are there are paused alike. */
  reconcile(nodes: ReadonlySet<string>, there: ReadonlyMap<Handle, Entry>) {
    if (!nodes.size) return
    for (const handle of [...this.#legOf.keys(), ...this.#transports]) {
      if (!nodes.has(nodeOf(handle))) continue
      const entry = there.get(handle)
      const leg = this.#legOf.get(handle)
      if (!entry) this.objectClosed(handle)
      else if (leg?.follows) this.#comparePaused(leg, entry)
    }
  }

  #comparePaused(leg: Leg, [handle, , , { paused, producerPaused, dataProducerPaused }]: Entry) {
    const isPaused = Boolean(producerPaused ?? dataProducerPaused)
    if (handle === leg.from.handle && isPaused !== leg.paused) this.#pause(leg, isPaused)
    else if (handle === leg.to?.handle && Boolean(paused) !== leg.paused) this.#pause(leg, leg.paused)
  }

  // Whoever made them may have been gone before they were connected.
  #restorePair(name: string, parts: Found[]) {
    const all = parts.map(({ branch, announcement: { $, of, members } }): TransportEnd => ({ branch, router: of!, transport: $, members: members as unknown as PipeTransportMembers }))
    const ends = all.filter(one => all.some(other => areConnected(one.members.tuple, other.members.tuple)))
    for (const end of all) if (ends.length !== 2 || !ends.includes(end)) this.closeTransport(end)
    if (ends.length !== 2) return
    for (const { transport, members } of ends) this.addTransport(transport, members.id)
    this.pairs.set(name, Promise.resolve(this.remember(ends as [TransportEnd, TransportEnd])))
  }

  #restoreLeg(name: string, parts: Found[]) {
    const from = parts.find(({ announcement: { kind } }) => kind.endsWith('Consumer'))
    const to = parts.find(({ announcement: { kind } }) => kind.endsWith('Producer'))
    const [pair] = this.#pairOf.get(from?.announcement.of ?? '') ?? []
    if (!from || !to || !pair) return this.#closeAll(parts)
    const leg = this.begin(pair, from.branch, from.announcement)
    this.arrive(leg, to.branch, to.announcement)
    leg.follows = from.announcement.kind === 'Consumer' || name.endsWith(WHOLLY)
    const { producerPaused, dataProducerPaused } = from.announcement.members
    const paused = Boolean(producerPaused ?? dataProducerPaused)
    leg.paused = Boolean(to.announcement.members.paused)
    if (leg.follows && leg.paused !== paused) this.#pause(leg, paused)
  }

  #closeAll(parts: Found[]) {
    for (const { branch, announcement: { kind, $ } } of parts) this.close({ branch, kind, handle: $ })
  }

  /** A transport is there, and is to become the end of a pair. */
  addTransport(transport: Handle, id: string) {
    this.#transports.add(transport)
    this.ids.add(id)
  }

  /** It does not. */
  closeTransport({ branch, transport, members }: TransportEnd) {
    this.#transports.delete(transport)
    this.ids.delete(members.id)
    this.close({ branch, kind: 'PipeTransport', handle: transport })
  }

  remember(ends: [TransportEnd, TransportEnd]): Pair {
    const pair: Pair = { ends, legs: new Set() }
    for (const { router, transport } of ends) {
      this.#pairOf.set(transport, new Set([pair]))
      this.#pairOf.set(router, (this.#pairOf.get(router) ?? new Set()).add(pair))
    }
    return pair
  }

  /** A Consumer is there, of what is to cross. */
  begin(pair: Pair, branch: Branch, { kind, $, members }: Announcement): Leg {
    const leg: Leg = { pair, id: members.id as string, from: { branch, kind, handle: $ }, follows: true, paused: false, ended: false }
    this.ids.add(leg.id)
    pair.legs.add(leg)
    this.#legOf.set($, leg)
    return leg
  }

  /** And a Producer at the other end. */
  arrive(leg: Leg, branch: Branch, { kind, $ }: Announcement) {
    leg.to = { branch, kind, handle: $ }
    if (leg.ended) this.close(leg.to)
    else this.#legOf.set($, leg)
  }

  #pause(leg: Leg, paused: boolean) {
    leg.paused = paused
    // Before it has arrived, pipeToRouter() compares.
    if (leg.to) setPaused(leg).catch(() => {}) // Closed in the meantime.
  }

  endLeg(leg: Leg, closed?: Handle) {
    if (leg.ended) return
    leg.ended = true
    leg.pair.legs.delete(leg)
    this.ids.delete(leg.id)
    for (const end of [leg.from, leg.to]) {
      if (!end) continue
      this.#legOf.delete(end.handle)
      if (end.handle !== closed) this.close(end)
    }
    if (leg.to) this.#ended(leg.to.handle)
  }

  #endPair(pair: Pair, closed: Handle) {
    const [one, other] = pair.ends
    this.pairs.delete(nameOf(one, other))
    for (const { branch, router, transport, members } of pair.ends) {
      this.#transports.delete(transport)
      this.ids.delete(members.id)
      this.#pairOf.delete(transport)
      this.#pairOf.get(router)?.delete(pair)
      if (transport !== closed && router !== closed) this.close({ branch, kind: 'PipeTransport', handle: transport })
    }
    for (const leg of pair.legs) {
      leg.ended = true
      this.ids.delete(leg.id)
      for (const end of [leg.from, leg.to]) if (end) this.#legOf.delete(end.handle)
      if (leg.to) this.#ended(leg.to.handle)
    }
  }

  /** Closes it on its host, and tells the client, which may know already. */
  close({ branch, kind, handle }: { branch: Branch; kind: string; handle: Handle }) {
    branch.caller.notify(`${kind}.close`, handle)
    this.tell(encodeNotification(`${kind}.close`, [handle, null]))
  }
}

/** The name of the pair between two Routers. */
export const nameOf = (one: End, other: End) => [one.router, other.router].toSorted().join()

/** Whether the PipeTransports with these tuples are the ends of one pipe. */
export const areConnected = (one: ms.TransportTuple, other: ms.TransportTuple) =>
  one.remotePort === other.localPort && one.remoteIp === other.localAddress && other.remotePort === one.localPort && other.remoteIp === one.localAddress

export async function setPaused({ to, paused }: Leg) {
  await to!.branch.caller.call(`${to!.kind}.${paused ? 'pause' : 'resume'}`, to!.handle)
}
