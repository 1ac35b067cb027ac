// Which objects a session has, and how many of each kind are being made: read from the frames that
// pass. It counts those that the client creates, those that mediasoup creates itself
// (pipeToRouter), and those that a recall tells of.

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
  /** The pipe between two Routers, for pipeToRouter(), */
  pipe?: string
  /** and whether it was not there when that was called. */
  connects?: boolean
}

const PIPE_TO_ROUTER = 'Router.pipeToRouter'
const PIPED: readonly Quota[] = ['producers', 'consumers']
const PIPE_ENDS: readonly Quota[] = ['transports', 'transports']
const PIPE = 'Pipe'
const HANDLED = 'WebRtcServer.webrtctransporthandled'

const reservations: ReadonlyMap<string, Reservation> = new Map(
  [...kindCreatedBy].map(([method, kind]) => [method, { groups: [quotaOf(kind)] }])
)

export class QuotaTracker {
  /** A pipe is there as long as both of its transports are. */
  readonly #objects = new ObjectTree<undefined, ObjectKind | typeof PIPE>({
    groupOf: kind => (kind === PIPE ? kind : quotaOf(kind))
  })
  readonly #reserved = new Map<Quota, number>()
  // Pipes that are being made, with the number of calls that may make them.
  readonly #connecting = new Map<string, number>()
  // What was there before a recall, and was not told by it yet.
  #stale = new Set<Handle>()

  /** How many objects there are. */
  get size(): number {
    return this.#objects.size - this.#objects.count(PIPE)
  }

  /** Throws a LimitError when the session has enough of what it asks for. */
  asked(
    { method, handle }: CallHead,
    frame: Frame,
    limits: SessionLimits
  ): Reservation | undefined {
    const reservation =
      method === PIPE_TO_ROUTER ? this.#pipeReservation(pipeIn(frame)) : reservations.get(method)
    if (!reservation || (method !== 'mediasoup.createWorker' && handle === undefined))
      return undefined
    const { groups, pipe, connects } = reservation
    const all = connects && !this.#connecting.has(pipe!) ? [...PIPE_ENDS, ...groups] : groups
    for (const group of all) {
      const wanted = all.filter(other => other === group).length
      if (this.#count(group) + wanted > limits[group])
        throw new LimitError(codes.objects, `a session has at most ${limits[group]} ${group}`)
    }
    this.#reserve(all, 1)
    if (connects) this.#connecting.set(pipe!, (this.#connecting.get(pipe!) ?? 0) + 1)
    return reservation
  }

  /** A request was answered, or will not be. */
  release({ groups, pipe, connects }: Reservation) {
    this.#reserve(groups, -1)
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
    const created = createdBy(frame)
    if (created) this.#add(created)
  }

  #add({ handle, kind, of }: Created) {
    if (kind !== undefined) this.#objects.add(handle, kind as ObjectKind, of, undefined)
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
      this.#add(announced)
      if (method === HANDLED) this.#objects.own(announced.handle, handle!)
    } else if (isEnd(effect)) {
      this.closed(method.slice(0, method.indexOf('.')), handle)
    } else if (method === 'tier.recalled') {
      const {
        params: [{ entries, done = [] }]
      } = decode(frame) as unknown as { params: [{ entries: Entry[]; done?: string[] }] }
      this.#recalled(entries)
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

  // An object counts also if its parent is on a node that was not asked.
  #recalled(entries: Entry[]) {
    for (const [handle, kind, of] of entries) {
      this.#stale.delete(handle)
      this.#objects.add(handle, kind, this.#objects.get(of ?? undefined)?.handle, undefined)
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
    this.#objects.add(pipe, PIPE, end, undefined)
    this.#objects.own(pipe, other)
  }

  #pipeReservation(pipe: string): Reservation {
    return { groups: PIPED, pipe, connects: !this.#objects.get(pipe) }
  }

  #count(group: Quota): number {
    return this.#objects.count(group) + (this.#reserved.get(group) ?? 0)
  }

  #reserve(groups: readonly Quota[], by: 1 | -1) {
    for (const group of groups) this.#reserved.set(group, (this.#reserved.get(group) ?? 0) + by)
  }
}

/** The name of the pipe between the two Routers of a pipeToRouter(). */
function pipeIn(frame: Frame): string {
  const {
    params: [from, options]
  } = decode(frame) as unknown as { params: [Handle, { router?: { $?: Handle } } | undefined] }
  return [from, String(options?.router?.$)].toSorted().join()
}
