// Which objects a session has, what they retain, and how many of each kind are being made: read from
// the frames that pass. It counts those that the client creates, those that mediasoup creates itself
// (pipeToRouter), and those that a recall tells of.

import type { Borrowed } from '../../lib/borrow.ts'
import type { Announcement } from '../../lib/codec.ts'
import type { Entry } from '../../lib/recall.ts'
import { type Created, announcedBy, createdBy } from '../../lib/created.ts'
import { effectOf, isEnd, kindCreatedBy } from '../../lib/effects.ts'
import { LimitError, codes } from '../../lib/errors.ts'
import type { CallHead, Frame, Handle } from '../../lib/frame.ts'
import { nodeOf } from '../../lib/frame-header.ts'
import type { ObjectKind } from '../../lib/methods.ts'
import { ObjectTree } from '../../lib/object-tree.ts'
import { decode } from '../../lib/wire.ts'
import { type Quota, type SessionLimits, quotaOf } from './limits.ts'

/** What an answer may bring: it counts until the answer is there. */
export interface Reservation {
  groups: readonly Quota[]
  /** What it may retain, */
  bytes: number
  /** and of that, what was asked with: some of it no answer repeats. */
  asked?: number
  /** For tier.openPipe: the answer announces a Consumer beside the transport. */
  opensPipe?: boolean
  /** The pipe between two Routers, for pipeToRouter(), */
  pipe?: string
  /** and whether it was not there when that was called. */
  connects?: boolean
  /** A Router of another session. */
  borrows?: boolean
}

const PIPE_TO_ROUTER = 'Router.pipeToRouter'
const PIPED: readonly Quota[] = ['producers', 'consumers']
const PIPE_ENDS: readonly Quota[] = ['transports', 'transports']
const PIPE = 'Pipe'
const HANDLED = 'WebRtcServer.webrtctransporthandled'

const OPEN_PIPE = 'tier.openPipe'
const BORROW = 'tier.borrow'

const groupsCreatedBy: ReadonlyMap<string, readonly Quota[]> = new Map<string, readonly Quota[]>([
  ...[...kindCreatedBy].map(([method, kind]) => [method, [quotaOf(kind)]] as const),
  [OPEN_PIPE, ['transports', 'consumers']],
  [BORROW, ['routers']]
])

/** The methods that are called of no object. */
const ofNone: ReadonlySet<string> = new Set(['mediasoup.createWorker', BORROW])

// A Consumer is asked for with capabilities, and retains parameters: those of a Producer.
const isMedia = (group: Quota) => group === 'producers' || group === 'consumers'

export class QuotaTracker {
  /** A pipe is there as long as both of its transports are. */
  readonly #objects = new ObjectTree<number, ObjectKind | typeof PIPE>({
    groupOf: kind => (kind === PIPE ? kind : quotaOf(kind)),
    onRemoved: ({ data: bytes }) => {
      this.#retained -= bytes
    }
  })
  // What objects retain, what those may that are being made, and the largest Producer or Consumer.
  #retained = 0
  #reservedBytes = 0
  #largestMedia = 0
  readonly #reserved = new Map<Quota, number>()
  // Pipes that are being made, with the number of calls that may make them.
  readonly #connecting = new Map<string, number>()
  // What was there before a recall, and was not told by it yet.
  #stale = new Set<Handle>()

  /** How many objects there are. */
  get size(): number {
    return this.#objects.size - this.#objects.count(PIPE)
  }

  /** What they retain, in bytes of JSON. */
  get retained(): number {
    return this.#retained
  }

  /** Throws a LimitError when the session has enough of what it asks for. */
  asked(
    { method, handle }: CallHead,
    frame: Frame,
    limits: SessionLimits
  ): Reservation | undefined {
    const reservation =
      method === PIPE_TO_ROUTER ? this.#pipeReservation(pipeIn(frame)) : this.#one(method, frame)
    if (!reservation || (!ofNone.has(method) && handle === undefined)) return undefined
    const { groups, bytes, pipe, connects } = reservation
    const all = connects && !this.#connecting.has(pipe!) ? [...PIPE_ENDS, ...groups] : groups
    for (const group of all) {
      const wanted = all.filter(other => other === group).length
      if (this.#count(group) + wanted > limits[group])
        throw new LimitError(codes.objects, `a session has at most ${limits[group]} ${group}`)
    }
    if (this.#retained + this.#reservedBytes + bytes > limits.bytesRetained)
      throw retainsTooMuch(limits.bytesRetained)
    this.#reserve(all, 1)
    this.#reservedBytes += bytes
    if (connects) this.#connecting.set(pipe!, (this.#connecting.get(pipe!) ?? 0) + 1)
    return reservation
  }

  #one(method: string, frame: Frame): Reservation | undefined {
    const groups = groupsCreatedBy.get(method)
    if (!groups) return undefined
    if (method === BORROW) return { groups, bytes: frame.length, borrows: true }
    return groups[0] === 'consumers'
      ? { groups, bytes: this.#largestMedia }
      : { groups, bytes: frame.length, asked: frame.length, opensPipe: method === OPEN_PIPE }
  }

  /** An object is changed by a message of so many bytes, which it may retain. */
  changed(handle: Handle, bytes: number) {
    const object = this.#objects.get(handle)
    if (!object || object.data >= bytes) return
    this.#retained += bytes - object.data
    object.data = bytes
  }

  /** A request was answered, or will not be. */
  release({ groups, bytes, pipe, connects }: Reservation) {
    this.#reserve(groups, -1)
    this.#reservedBytes -= bytes
    if (!connects) return
    const calls = this.#connecting.get(pipe!)!
    if (calls > 1) return void this.#connecting.set(pipe!, calls - 1)
    this.#connecting.delete(pipe!)
    this.#reserve(PIPE_ENDS, -1)
  }

  /**
   * The answer to a request. What it announces counts, even if it comes so late that nothing is
   * reserved for it.
   */
  answered(frame: Frame, reservation: Reservation | undefined) {
    if (reservation?.pipe !== undefined) this.#piped(frame, reservation.pipe)
    if (reservation) this.release(reservation)
    if (reservation?.borrows) return this.#borrowed(frame)
    const created = createdBy(frame)
    if (created) this.#add(created, Math.max(frame.length, reservation?.asked ?? 0))
    const consumer = reservation?.opensPipe ? consumerIn(frame) : undefined
    if (consumer) this.#add(consumer, frame.length)
  }

  /** The Router of another session, which this one may pipe from. */
  #borrowed(frame: Frame) {
    const { router } = Object((decode(frame) as { result?: unknown }).result) as Partial<Borrowed>
    if (router !== undefined) this.#keep(router, 'Router', undefined, frame.length)
  }

  #add({ handle, kind, of }: Created, bytes: number) {
    if (kind !== undefined) this.#keep(handle, kind as ObjectKind, of, bytes)
  }

  #keep(handle: Handle, kind: ObjectKind, of: Handle | undefined, bytes: number) {
    if (this.#objects.get(handle) || !this.#objects.add(handle, kind, of, bytes)) return
    this.#retained += bytes
    if (isMedia(quotaOf(kind))) this.#largestMedia = Math.max(this.#largestMedia, bytes)
  }

  /** The client closes an object. */
  closed(kind: string, handle: Handle | undefined) {
    if (handle !== undefined) this.#objects.remove(handle, kind)
  }

  /** The tier tells something. */
  told({ method, handle }: CallHead, frame: Frame) {
    const effect = effectOf(method)
    if (effect === 'announces') {
      const announced = announcedBy(frame)
      if (!announced) return
      this.#add(announced, frame.length)
      if (method === HANDLED) this.#objects.own(announced.handle, handle!)
    } else if (isEnd(effect)) {
      this.closed(method.slice(0, method.indexOf('.')), handle)
    } else if (method === 'tier.recalled') {
      const {
        params: [{ entries, done = [] }]
      } = decode(frame) as unknown as { params: [{ entries: Entry[]; done?: string[] }] }
      this.#recalled(entries, frame.length / entries.length)
      if (done.length) this.#settle(new Set(done))
    }
  }

  /** @param nodes the leaves that are asked for what there is; undefined for all */
  recalls(nodes: ReadonlySet<string> | undefined) {
    for (const { handle, kind } of this.#objects.values()) {
      if (kind !== PIPE && (!nodes || nodes.has(nodeOf(handle)))) this.#stale.add(handle)
    }
  }

  recallAnswered() {
    this.#stale.clear()
  }

  /** All objects of these nodes were told: what was not is no more. */
  #settle(nodes: ReadonlySet<string>) {
    for (const handle of this.#stale) {
      if (!nodes.has(nodeOf(handle))) continue
      this.#stale.delete(handle)
      this.#objects.remove(handle)
    }
  }

  // An object counts also if its parent is on a node that was not asked. What it retains is not
  // told: as much as it takes to tell of it.
  #recalled(entries: Entry[], bytes: number) {
    for (const [handle, kind, of] of entries) {
      this.#stale.delete(handle)
      this.#keep(handle, kind, this.#objects.get(of ?? undefined)?.handle, bytes)
    }
  }

  /** A pipe is there: its transports are those of what was piped. */
  #piped(frame: Frame, pipe: string) {
    const { value } = Object((decode(frame) as { result?: unknown }).result) as {
      value?: Record<string, { $?: Handle } | undefined>
    }
    const [end, other] = Object.values(Object(value) as typeof value & object).map(
      piped => this.#objects.get(piped?.$)?.parent?.handle
    )
    if (end === undefined || other === undefined) return
    this.#objects.add(pipe, PIPE, end, 0)
    this.#objects.own(pipe, other)
  }

  #pipeReservation(pipe: string): Reservation {
    const bytes = 2 * this.#largestMedia
    return { groups: PIPED, bytes, pipe, connects: !this.#objects.get(pipe) }
  }

  #count(group: Quota): number {
    return this.#objects.count(group) + (this.#reserved.get(group) ?? 0)
  }

  #reserve(groups: readonly Quota[], by: 1 | -1) {
    for (const group of groups) this.#reserved.set(group, (this.#reserved.get(group) ?? 0) + by)
  }
}

export const retainsTooMuch = (max: number) =>
  new LimitError(codes.objects, `the objects of a session retain at most ${max} bytes`)

/** The Consumer on the end of a pipe. */
function consumerIn(frame: Frame): Created | undefined {
  const { result } = decode(frame) as { result?: { consumer?: Announcement } }
  const { $, kind, of } = result?.consumer ?? {}
  return $ === undefined ? undefined : { handle: $, kind, of }
}

/** The name of the pipe between the two Routers of a pipeToRouter(). */
function pipeIn(frame: Frame): string {
  const {
    params: [from, options]
  } = decode(frame) as unknown as { params: [Handle, { router?: { $?: Handle } } | undefined] }
  return [from, String(options?.router?.$)].toSorted().join()
}
