// What happens to the objects of a session, as its client is told.

import { encodeValue } from '../../lib/codec.ts'
import { MAX_MEDIA_BACKLOG_BYTES } from '../../lib/outgoing.ts'
import type { Link } from '../../lib/tier.ts'
import { encodeNotification } from '../../lib/wire.ts'
import type { Lending } from './borrow/lending.ts'
import type { ServedObject, Listener, MediasoupObject } from './served-object.ts'
import type { Objects } from './objects.ts'
import type { Send } from './context.ts'

export class Events implements Listener {
  /**
   * appData of the objects that calls are about to create: their answers announce them, so no event
   * needs to.
   */
  readonly creating = new Set<unknown>()
  readonly #objects: Objects
  readonly #lending: Lending
  readonly #link: Link
  readonly #send: Send
  // Told after what mediasoup says next, if that is why: a Worker's death ends pipes before it is
  // announced.
  readonly #closes: ServedObject[] = []

  constructor(objects: Objects, link: Link, send: Send, lending: Lending) {
    this.#objects = objects
    this.#lending = lending
    this.#link = link
    this.#send = send
  }

  /**
   * A child was made: by a call, whose answer will announce it, or by mediasoup itself
   * (pipeToRouter).
   */
  onNew(parent: ServedObject, event: string, [child]: unknown[]) {
    const object = child as MediasoupObject
    const borrower = event === 'newtransport' ? this.#lending.borrowerOf(object) : undefined
    if (borrower && borrower !== parent.object) return borrower.adopt(object)
    this.#objects.add(object, this, parent)
    if (!this.creating.has(object.appData)) this.#tell(parent, event, [object])
  }

  // ← {"method": "Consumer.score", "params": ["k3x/31", {"score": {…}}, {…}]}
  onEvent(entry: ServedObject, event: string, args: unknown[]) {
    if (this.#objects.all.has(entry.handle)) this.#tell(entry, event, args)
  }

  onMedia(entry: ServedObject, event: string, [packet]: unknown[]) {
    if (!entry.isTold) return
    if (this.#link.bufferedAmount > MAX_MEDIA_BACKLOG_BYTES) return
    this.#send(encodeNotification(`${entry.kind}.${event}`, [entry.handle, null, packet]))
  }

  /** The object is closed by its event. */
  onEnd(entry: ServedObject, event: string, args: unknown[]) {
    const closes = this.#closes.splice(0)
    this.onEvent(entry, event, args)
    this.#closes.push(...closes)
    this.#objects.forget(entry)
  }

  /**
   * The object is closed: by this session's client or with its parent, which it knows, or else by
   * mediasoup itself.
   */
  onClose(entry: ServedObject) {
    if (!this.#objects.all.has(entry.handle)) return
    if (!entry.closing && !entry.parent?.object.closed) {
      this.#closes.push(entry)
      queueMicrotask(() => this.#tellCloses())
    }
    if (entry.kind !== 'Worker') this.#objects.forget(entry)
  }

  onSubprocessClose(entry: ServedObject) {
    this.onEvent(entry, 'subprocessclose', [])
    this.#objects.forget(entry)
  }

  /** mediasoup connected pipes, which no event tells. */
  tellPipes() {
    for (const entry of this.#objects.pipes) this.tellLive(entry)
  }

  // ← {"method": "PipeTransport.live", "params": ["k3x/31", {"tuple": {…}}]}
  tellLive(entry: ServedObject) {
    const live = this.#objects.all.has(entry.handle) ? entry.changes() : undefined
    if (live) this.#send(encodeNotification(`${entry.kind}.live`, [entry.handle, live]))
  }

  #tellCloses() {
    for (const entry of this.#closes.splice(0)) this.#tell(entry, 'close', [])
  }

  #tell(entry: ServedObject, event: string, args: unknown[]) {
    if (!entry.isTold) return
    if (this.#closes.length) this.#tellCloses()
    const { handle } = entry
    const method = `${entry.kind}.${event}`
    const encoded = args.map(arg => encodeValue(arg, this.#objects.refer))
    this.#send(encodeNotification(method, [handle, entry.changes() ?? null, ...encoded]), {
      method,
      handle
    })
  }
}
