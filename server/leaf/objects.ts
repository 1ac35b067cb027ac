// The objects that a session has on a leaf, by their handles.

import { LRUCache } from 'lru-cache'
import type { Reference } from '../../lib/codec.ts'
import { errors } from '../../lib/mediasoup.ts'
import type { Kind } from '../../lib/model.ts'
import type { Entry as Recalled } from '../../lib/recall.ts'
import { type Handle, unknownHandle } from '../../lib/wire.ts'
import { BorrowedRouter } from './borrow/borrowed-router.ts'
import {
  ServedObject,
  type Listener,
  type MediasoupObject,
  servedObjectOf,
  listen
} from './served-object.ts'
import type { ClosedCache, Leaf } from './context.ts'

/**
 * One for all sessions, because each cache has a size of its own. Not for long, because closed
 * objects keep what they had.
 */
export const newClosedCache = (): ClosedCache =>
  new LRUCache({ max: 1_000, ttl: 10_000, ttlAutopurge: true })

export class Objects {
  readonly #leaf: Leaf
  readonly #entries = new Map<Handle, ServedObject>()
  readonly #workers = new Set<ServedObject>()
  readonly #pipes = new Set<ServedObject>()
  readonly #borrowed = new Set<ServedObject>()
  readonly #realm: string
  #ended = false

  /** @param realm that of the session */
  constructor(leaf: Leaf, realm: string) {
    this.#leaf = leaf
    this.#realm = realm
  }

  get all(): ReadonlyMap<Handle, ServedObject> {
    return this.#entries
  }

  get pipes(): ReadonlySet<ServedObject> {
    return this.#pipes
  }

  get workers(): ReadonlySet<ServedObject> {
    return this.#workers
  }

  /** What a call is about. Throws a NotFoundError when there has been nothing of that kind. */
  find(kind: Kind, handle: unknown): ServedObject {
    const entry = this.#known(handle)
    if (entry?.kind !== kind) throw new errors.NotFoundError(unknownHandle(kind, handle))
    return entry
  }

  /** What a reference in arguments stands for. */
  resolve = ({ $ }: Reference): MediasoupObject => {
    const entry = this.#known($)
    if (!entry) throw new errors.NotFoundError(unknownHandle('object', $))
    return entry.object
  }

  /** That there is no such Producer on a Router. Looks through all objects: for calls that failed. */
  missingProducer(router: ServedObject, options: unknown): Error | undefined {
    const { producerId, dataProducerId } = Object(options) as Record<string, unknown>
    const id = producerId ?? dataProducerId
    if (id === undefined) return undefined
    const kind = producerId === undefined ? 'DataProducer' : 'Producer'
    for (const entry of this.#entries.values()) {
      const isMeant = entry.kind === kind && entry.parent?.parent === router
      if (isMeant && (entry.object as unknown as { id: string }).id === id) return undefined
    }
    return new errors.NotFoundError(`${kind} with id "${String(id)}" not found`)
  }

  /** How an object is mentioned: announced at first. */
  refer = (object: object): Reference | undefined => {
    const entry = servedObjectOf(object)
    return entry && (entry.announced ? { $: entry.handle } : entry.announce())
  }

  /** Gives a new object its handle, and listens to it. */
  add(object: MediasoupObject, listener: Listener, parent?: ServedObject): ServedObject {
    const { lending, meter } = this.#leaf
    const naming = lending.namingOf(object)
    const entry = new ServedObject(
      listener,
      this.#leaf.nextHandle(),
      object,
      parent,
      naming?.members
    )
    this.#entries.set(entry.handle, entry)
    if (object instanceof BorrowedRouter) this.#borrowed.add(entry)
    else meter.add(entry.kind)
    lending.add(entry, this.#realm)
    naming?.onAdded?.(entry)
    this.#leaf.pipes.add(entry)
    if (entry.kind === 'Worker') this.#workers.add(entry)
    if (entry.kind === 'PipeTransport') this.#pipes.add(entry)
    listen(entry)
    return entry
  }

  /** Each that is there now, told again when its turn comes; parents first. */
  *recall(members: readonly string[], entries = [...this.#entries.values()]): Generator<Recalled> {
    for (const entry of entries)
      if (entry.isTold && this.#entries.has(entry.handle)) yield entry.recall(members)
  }

  close(entry: ServedObject) {
    // A Worker is known until its process is gone.
    if (entry.kind !== 'Worker') this.forget(entry)
    entry.closing = true
    entry.object.close()
  }

  /** Gives back the Routers of other sessions that a tier above has borrowed, and what is on them. */
  giveBack() {
    for (const { object, isTold } of this.#borrowed) if (isTold) object.close()
  }

  /** Closes all that the session has. */
  end() {
    this.#ended = true
    for (const { object } of [...this.#borrowed]) object.close()
    for (const { object } of this.workers) object.close()
    // What mediasoup forgot, because it failed halfway.
    for (const entry of this.#entries.values()) {
      if (entry.kind !== 'Worker') this.forget(entry)
    }
  }

  forget(entry: ServedObject) {
    if (!this.#entries.delete(entry.handle)) return
    if (!this.#borrowed.delete(entry)) this.#leaf.meter.remove(entry.kind)
    this.#leaf.lending.remove(entry, this.#realm)
    this.#leaf.pipes.remove(entry)
    this.#workers.delete(entry)
    this.#pipes.delete(entry)
    if (!this.#ended) this.#leaf.closed.set(entry.handle, { owner: this, entry })
  }

  /** It is there, or was a moment ago. */
  #known(handle: unknown): ServedObject | undefined {
    const entry = this.#entries.get(handle as Handle)
    if (entry) return entry
    const closed = this.#leaf.closed.get(handle as Handle)
    return closed?.owner === this ? closed.entry : undefined
  }
}
