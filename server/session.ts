// One session on a leaf: dispatches calls to mediasoup's objects, and turns their events into notifications.

import type * as ms from 'mediasoup/types'
import { type Announcement, type Reference, decodeValue, encodeValue } from '../lib/codec.ts'
import type { DrainOptions, DrainState, Draining } from '../lib/drain.ts'
import { ProtocolError, codes, describeError } from '../lib/errors.ts'
import { LOG_LEVELS, type Location } from '../lib/hello.ts'
import type { Load } from '../lib/load.ts'
import { errors } from '../lib/mediasoup.ts'
import { type MethodRow, methods } from '../lib/methods.ts'
import { discover } from '../lib/openrpc.ts'
import type { Frame, Link } from '../lib/tier.ts'
import { type Handle, type Id, type Message, decode, encodeFailure, encodeNotification, encodeResult, unknownHandle } from '../lib/wire.ts'
import { Aliases } from './aliases.ts'
import { mend } from './channel.ts'
import { Entry, type MediasoupObject, entryOf, listen } from './entry.ts'
import type { Leaf } from './leaf.ts'
import type { Tenant } from './lease.ts'

// Packets are dropped, rather than queued, when this much waits to be sent.
const MAX_MEDIA_BACKLOG_BYTES = 1024 * 1024

// How many closed objects of a session are kept, for calls that come after.
const MAX_CLOSED = 100

type Method<R> = (...args: unknown[]) => R

export class Session implements Tenant {
  readonly aliases = new Aliases()
  readonly #leaf: Leaf
  readonly #link: Link
  readonly #entries = new Map<Handle, Entry>()
  // A closed object still says what mediasoup says of it; the last ones that were closed.
  readonly #closed = new Map<Handle, Entry>()
  // Told after what mediasoup says next, if that is why: a Worker's death ends pipes before it is announced.
  readonly #closes: Entry[] = []
  readonly #pipes = new Set<Entry>()
  readonly #inFlight = new Set<Id>()
  // appData of the objects that calls are about to create: their answers announce them, so no event needs to.
  readonly #creating = new Set<unknown>()
  #recalls = 0
  #ended = false
  // What is called of mediasoup itself.
  readonly #mediasoup = { createWorker: (settings?: ms.WorkerSettings) => this.#leaf.createWorker(this, settings) }

  constructor(leaf: Leaf, link: Link) {
    this.#leaf = leaf
    this.#link = link
    link.on('frame', frame => this.#receive(frame))
    link.on('close', () => this.#end())
    leaf.drain.on('change', this.#tellDraining)
  }

  #end() {
    this.#ended = true
    this.#leaf.logs.unsubscribe(this)
    this.#leaf.meter.unlisten(this.#tellLoad)
    this.#leaf.drain.off('change', this.#tellDraining)
    this.#leaf.drain.off('progress', this.#tellDrain)
    for (const entry of this.#entries.values()) {
      if (entry.kind === 'Worker') close(entry)
    }
    // What mediasoup forgot, because it failed halfway.
    for (const entry of this.#entries.values()) {
      if (entry.kind !== 'Worker') this.#forget(entry)
    }
  }

  #receive(frame: Frame) {
    let message: Message | undefined
    try {
      message = decode(frame)
      if (message.method === undefined) throw new ProtocolError(codes.request, 'a leaf sends no requests, so it expects no answers', message.id)
      if (message.id === undefined) this.#notified(message.method, message.params)
      else this.#requested(message.id, message.method, message.params)
    } catch (error) {
      const id = message?.id ?? (error instanceof ProtocolError ? error.id : null)
      this.#send(encodeFailure(id, describeError(error)))
    }
  }

  // → {"id": 12, "method": "Router.createWebRtcTransport", "params": ["k3x/17", {…}]}
  #requested(id: Id, method: string, params: unknown[]) {
    if (method === 'tier.hello') return this.#send(encodeResult(id, this.#leaf.hello))
    if (method === 'tier.load') {
      this.#leaf.meter.listen(this.#tellLoad)
      return this.#send(encodeResult(id, this.#leaf.meter.load))
    }
    if (method === 'tier.drain') return this.#send(encodeResult(id, this.#drain(params[0] as DrainOptions | undefined)))
    if (method === 'tier.locate') return this.#send(encodeResult(id, this.#locate(params[0] as Handle)))
    if (method === 'tier.pipeListenInfo') return this.#send(encodeResult(id, this.#leaf.pipeListenInfo))
    if (method === 'tier.recall') {
      this.#send(encodeResult(id, this.#recall()))
      return this.#leaf.drain.state.draining ? this.#tellDraining() : undefined
    }
    if (method === 'rpc.discover') return this.#send(encodeResult(id, discover()))
    if (this.#inFlight.has(id)) throw new ProtocolError(codes.request, `the id of a request is unique while it is in flight (${JSON.stringify(id)} is not)`)

    const row = this.#rowOf(method)
    const target = row.kind === 'mediasoup' ? undefined : this.#entryFor(row, params[0])
    const args = this.#argumentsOf(row, params, target)
    if (row.role === 'cast' || row.role === 'media' || row.role === 'close') {
      this.#cast(row, target!, args)
      return this.#send(encodeResult(id, null))
    }
    const creates = row.role === 'create' ? appDataOf(args) : undefined
    const object = (target?.object ?? this.#mediasoup) as unknown as Record<string, Method<Promise<unknown>>>
    const call = object[row.member]!(...args)
    const promise = target?.lease?.during(call) ?? call
    this.#inFlight.add(id)
    if (creates) this.#creating.add(creates)

    // One microtask after the call is done, so that its answer keeps its place among the events.
    const recalls = this.#recalls
    promise.then(
      value => recalls === this.#recalls ? this.#answer(id, row, creates, () => encodeResult(id, this.#resultOf(row, target, value))) : this.#discard(row, creates, value),
      error => recalls === this.#recalls ? this.#answer(id, row, creates, () => encodeFailure(id, describeError(error))) : this.#creating.delete(creates)
    )
  }

  /** The client has forgotten all: nobody waits for what is in flight, and each object is announced anew, parents first. */
  #recall(): Announcement[] {
    this.#recalls++
    this.#inFlight.clear()
    return [...this.#entries.values()].map(entry => entry.announce())
  }

  /** Nobody knows any more what a call has made. */
  #discard({ role }: MethodRow, creates: unknown, value: unknown) {
    this.#creating.delete(creates)
    if (role === 'create') (value as MediasoupObject).close()
  }

  #answer(id: Id, { member }: MethodRow, creates: unknown, encode: () => Frame) {
    this.#inFlight.delete(id)
    if (member === 'pipeToRouter') this.#tellPipes()
    try {
      this.#send(encode())
    } catch (error) {
      this.#send(encodeFailure(id, describeError(error)))
    }
    this.#creating.delete(creates)
  }

  // ← {"method": "PipeTransport.live", "params": ["k3x/31", {"tuple": {…}}]}
  // mediasoup connected them, which no event tells.
  #tellPipes() {
    for (const entry of this.#pipes) {
      const live = entry.changes()
      if (live) this.#send(encodeNotification('PipeTransport.live', [entry.handle, live]))
    }
  }

  // → {"method": "Consumer.close", "params": ["k3x/31"]}
  #notified(method: string, params: unknown[]) {
    if (method === 'tier.log') return this.#subscribeToLogs(params)
    const row = this.#rowOf(method)
    const entry = this.#entries.get(params[0] as Handle)
    // The object may be gone, and its event on the way: nobody waits for this cast.
    if (entry?.kind === row.kind) this.#cast(row, entry, this.#argumentsOf(row, params, entry))
  }

  #locate(handle: Handle): Location {
    const entry = this.#entries.get(handle)
    if (!entry) throw new errors.NotFoundError(unknownHandle('object', handle))
    const { node, mediasoup } = this.#leaf.hello
    return { node, pid: (entry.root.object as unknown as ms.Worker).pid, mediasoup }
  }

  // ← {"method": "tier.load", "params": [{"capacity": 8, "used": 2.5, …}]}
  // Worth nothing when it is late: the next one follows.
  #tellLoad = (load: Load) => {
    if (this.#link.bufferedAmount === 0) this.#send(encodeNotification('tier.load', [load]))
  }

  // → {"id": 7, "method": "tier.drain", "params": [{"deadline": 60000}]}
  #drain({ deadline, cancel }: DrainOptions = {}): DrainState {
    const { drain } = this.#leaf
    if (cancel) drain.cancel()
    else drain.start({ deadline })
    drain.off('progress', this.#tellDrain)
    if (!cancel) drain.on('progress', this.#tellDrain)
    return drain.state
  }

  // ← {"method": "tier.drain", "params": [{"draining": true, "workers": 2, …}]}
  #tellDrain = (state: DrainState) => this.#send(encodeNotification('tier.drain', [state]))

  // ← {"method": "tier.draining", "params": [{"node": "k3x", "deadline": 60000, "workers": ["k3x/1"]}]}
  #tellDraining = () => {
    const workers = [...this.#entries.values()].filter(({ kind, closing }) => kind === 'Worker' && !closing).map(({ handle }) => handle)
    if (!workers.length) return
    const { draining, deadline } = this.#leaf.drain.state
    const { node } = this.#leaf.hello
    this.#send(encodeNotification('tier.draining', [{ node, workers, ...draining ? { deadline } : { cancelled: true } } satisfies Draining]))
  }

  // → {"method": "tier.log", "params": [["warn", "error"]]}
  // ← {"method": "tier.log", "params": ["warn", "mediasoup:WARN:Channel", "[pid:4711] …"]}
  #subscribeToLogs([levels]: unknown[]) {
    if (!Array.isArray(levels)) throw new ProtocolError(codes.params, `tier.log takes a list of levels: ${LOG_LEVELS.join(', ')}`)
    this.#leaf.logs.subscribe(this, {
      levels: new Set(levels),
      // What a shared Worker logs does not say whom it is about.
      owns: pid => [...this.#entries.values()].some(({ kind, object, lease }) => kind === 'Worker' && (object as unknown as ms.Worker).pid === pid && (!lease || lease.alone)),
      tell: (...params) => this.#send(encodeNotification('tier.log', params))
    })
  }

  #rowOf(method: string): MethodRow {
    const row = methods.get(method)
    if (!row) throw new ProtocolError(codes.method, `unknown method ${JSON.stringify(method)}: rpc.discover lists them all`)
    return row
  }

  #entryFor({ kind }: MethodRow, handle: unknown): Entry {
    const entry = this.#entries.get(handle as Handle) ?? this.#closed.get(handle as Handle)
    if (entry?.kind !== kind) throw new errors.NotFoundError(unknownHandle(kind, handle))
    return entry
  }

  #argumentsOf({ kind, member }: MethodRow, params: unknown[], target: Entry | undefined): unknown[] {
    const args = kind === 'mediasoup' ? params : params.slice(1)
    for (let i = 0; i < args.length; i++) args[i] = decodeValue(args[i], this.#resolve) ?? undefined
    checkReferences(args[0])
    if (target) this.aliases.resolve(args[0], target, this.#entries)
    this.#leaf.applyRules(member, args)
    return args
  }

  #resolve = ({ $ }: Reference) => {
    const entry = this.#entries.get($) ?? this.#closed.get($)
    if (!entry) throw new errors.NotFoundError(unknownHandle('object', $))
    return entry.object
  }

  #cast({ member, role }: MethodRow, entry: Entry, args: unknown[]) {
    if (role === 'close') return this.#closeObject(entry)
    const object = entry.object as unknown as Record<string, Method<void>>
    try {
      object[member]!(...args)
    } catch (error) {
      entry.lease?.mend()
      throw error
    }
  }

  #closeObject(entry: Entry) {
    // A Worker is known until its process is gone.
    if (entry.kind !== 'Worker') this.#forget(entry)
    entry.closing = true
    close(entry)
  }

  #resultOf({ role, kind }: MethodRow, target: Entry | undefined, value: unknown): unknown {
    if (role === 'query') return value
    if (role === 'call') return { value: encodeValue(value, this.#refer), live: target!.changes() }
    const object = value as MediasoupObject
    if (kind === 'mediasoup') this.register(object)
    if (this.#ended || target?.object.closed) {
      object.close()
      throw new errors.NotFoundError(`the ${kind} was closed in the meantime`)
    }
    return this.#refer(object)
  }

  #refer = (object: object): Reference | undefined => {
    const entry = entryOf(object)
    return entry && (entry.announced ? { $: entry.handle } : entry.announce())
  }

  /** Gives a new object its handle, and listens to it. */
  register(object: MediasoupObject, parent?: Entry): Entry {
    const entry = new Entry(this, this.#leaf.nextHandle(), object, parent)
    this.#entries.set(entry.handle, entry)
    this.#leaf.meter.add(entry)
    if (entry.kind === 'PipeTransport') this.#pipes.add(entry)
    listen(entry)
    return entry
  }

  /** A child was made: by a call, whose answer will announce it, or by mediasoup itself (pipeToRouter). */
  onNew(parent: Entry, event: string, object: MediasoupObject) {
    this.register(object, parent)
    if (!this.#creating.has(object.appData)) this.#notify(parent, event, [object])
  }

  // ← {"method": "Consumer.score", "params": ["k3x/31", {"score": {…}}, {…}]}
  onEvent(entry: Entry, event: string, args: unknown[]) {
    if (this.#entries.has(entry.handle)) this.#notify(entry, event, args)
  }

  onMedia(entry: Entry, event: string, packet: Buffer) {
    if (this.#link.bufferedAmount > MAX_MEDIA_BACKLOG_BYTES) return
    this.#send(encodeNotification(`${entry.kind}.${event}`, [entry.handle, null, packet]))
  }

  /** The object is closed by its event. */
  onEnd(entry: Entry, event: string, args: unknown[]) {
    const closes = this.#closes.splice(0)
    this.onEvent(entry, event, args)
    this.#closes.push(...closes)
    this.#forget(entry)
  }

  /** The object is closed: by this session's client or with its parent, which it knows, or else by mediasoup itself. */
  onClose(entry: Entry) {
    if (!this.#entries.has(entry.handle)) return
    if (!entry.closing && !entry.parent?.object.closed) {
      this.#closes.push(entry)
      queueMicrotask(() => this.#tellCloses())
    }
    if (entry.kind !== 'Worker') this.#forget(entry)
  }

  onSubprocessClose(entry: Entry) {
    this.onEvent(entry, 'subprocessclose', [])
    this.#forget(entry)
  }

  #tellCloses() {
    for (const entry of this.#closes.splice(0)) this.#notify(entry, 'close', [])
  }

  #notify(entry: Entry, event: string, args: unknown[]) {
    if (this.#closes.length) this.#tellCloses()
    const encoded = args.map(arg => encodeValue(arg, this.#refer))
    this.#send(encodeNotification(`${entry.kind}.${event}`, [entry.handle, entry.changes() ?? null, ...encoded]))
  }

  #send(frame: Frame) {
    this.#link.send(this.aliases.reveal(frame))
  }

  #forget(entry: Entry) {
    if (!this.#entries.delete(entry.handle)) return
    this.#leaf.meter.remove(entry)
    this.#pipes.delete(entry)
    this.#closed.set(entry.handle, entry)
    if (this.#closed.size > MAX_CLOSED) this.#closed.delete(this.#closed.keys().next().value!)
  }
}

// Whatever was called before: what is closed only halfway would never be closed.
function close({ object, root }: Entry) {
  mend(root.object)
  object.close()
}

// mediasoup trusts its callers with these: what is none ends in a rejection that nobody handles.
function checkReferences(options: unknown) {
  if (typeof options !== 'object' || options === null) return
  for (const [name, kind] of [['router', 'Router'], ['webRtcServer', 'WebRtcServer']] as const) {
    const value = (options as Record<string, unknown>)[name]
    if (value && (typeof value !== 'object' || entryOf(value)?.kind !== kind)) throw new TypeError(`${name} must be a ${kind} of this session`)
  }
}

// The object that mediasoup will take as the appData of what it creates.
function appDataOf(args: unknown[]): unknown {
  if (typeof args[0] !== 'object' || args[0] === null) args[0] = {} // As good as none: mediasoup destructures it.
  const options = args[0] as { appData?: unknown }
  return (options.appData ??= {})
}
