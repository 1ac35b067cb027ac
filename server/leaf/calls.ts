// Calls of mediasoup's API: on which object, with which arguments, and what their answers say.

import type * as ms from 'mediasoup/types'
import { decodeValue, encodeValue } from '../../lib/codec.ts'
import { describeError, unknownOutcome } from '../../lib/errors.ts'
import { errors } from '../../lib/mediasoup.ts'
import { type MethodRow, methods } from '../../lib/methods.ts'
import type { Frame } from '../../lib/tier.ts'
import {
  type Handle,
  type Id,
  encodeFailure,
  encodeResult,
  notUnique,
  unknownMethod
} from '../../lib/wire.ts'
import { BorrowedRouter, checkBorrowed } from './borrow/borrowed-router.ts'
import type { Alias, Borrowing } from './borrow/borrowing.ts'
import { renamed, withoutHidden } from './borrow/views.ts'
import { type ServedObject, type MediasoupObject, servedObjectOf } from './served-object.ts'
import type { Events } from './events.ts'
import { Arriving } from './arriving.ts'
import { checkId } from './ids.ts'
import { OPEN_PIPE, type Opened, listenForPipe, openPipe } from './open-pipe.ts'
import type { Leaf } from './context.ts'
import type { Tenant } from './share/shared-worker.ts'
import type { Objects } from './objects.ts'
import type { SessionNetwork } from './network/network.ts'
import type { Send } from './context.ts'

type Method<R> = (...args: unknown[]) => R

interface CallsOptions {
  leaf: Leaf
  tenant: Tenant
  objects: Objects
  network: SessionNetwork
  events: Events
  borrowing: Borrowing
  send: Send
}

/** The Producer that a call consumes, where that has another id in its Router. */
interface Use {
  alias?: Alias | undefined
}

/** A call that waits for its Worker. */
interface Call {
  readonly id: Id
  readonly row: MethodRow
  readonly target: ServedObject | undefined
  /** That of the object which it creates. */
  readonly appData: unknown
  readonly args: unknown[]
  /** What tier.openPipe makes. */
  readonly opened: Opened | undefined
  readonly use: Use
  readonly timer: NodeJS.Timeout
}

export class Calls {
  readonly #leaf: Leaf
  readonly #tenant: Tenant
  readonly #objects: Objects
  readonly #network: SessionNetwork
  readonly #events: Events
  readonly #borrowing: Borrowing
  readonly #send: Send
  readonly #inFlight = new Map<Id, Call>()
  readonly #arriving = new Arriving()
  // What is called of mediasoup itself.
  readonly #mediasoup = {
    createWorker: (settings?: ms.WorkerSettings) => this.#leaf.createWorker(this.#tenant, settings)
  }

  constructor({ leaf, tenant, objects, network, events, borrowing, send }: CallsOptions) {
    this.#leaf = leaf
    this.#tenant = tenant
    this.#objects = objects
    this.#network = network
    this.#events = events
    this.#borrowing = borrowing
    this.#send = send
  }

  // → {"id": 12, "method": "Router.createWebRtcTransport", "params": ["k3x/17", {…}]}
  request(id: Id, method: string, params: unknown[]) {
    if (this.#inFlight.has(id)) throw notUnique(id)
    const opened: Opened | undefined = method === OPEN_PIPE ? {} : undefined
    const row = rowOf(opened ? 'Router.createPipeTransport' : method)
    const target = row.kind === 'mediasoup' ? undefined : this.#objects.find(row.kind, params[0])
    const args = this.#argumentsOf(row, params)
    if (target) checkBorrowed(target, row.member)
    if (opened) listenForPipe(args, this.#leaf.pipeListenInfo)
    this.#network.apply(row.member, args, target)
    if (row.role === 'cast' || row.role === 'media' || row.role === 'close') {
      this.#cast(row, target!, args)
      return this.#send(encodeResult(id, null), { id })
    }
    const appData = row.role === 'create' ? appDataOf(args) : undefined
    const use: Use = {}
    const promise = opened
      ? this.#openPipe(target!, args, opened, use)
      : this.#invoke(row, target, args, use)
    const timer = setTimeout(() => this.#giveUp(call), this.#leaf.timeout).unref()
    const call: Call = { id, row, target, appData, args, opened, use, timer }
    this.#inFlight.set(id, call)
    this.#answer(call, promise)
  }

  #invoke(row: MethodRow, target: ServedObject | undefined, args: unknown[], use: Use) {
    return this.#arriving.run(row.member, target, args[0], () => {
      if (target) use.alias = this.#borrowing.apply(row.member, target, args)
      return this.#call(row, target, args)
    })
  }

  #call({ member }: MethodRow, target: ServedObject | undefined, args: unknown[]) {
    const object = (target?.object ?? this.#mediasoup) as unknown as Record<
      string,
      Method<Promise<unknown>>
    >
    return object[member]!(...args)
  }

  /** @param isLast it is not made again */
  #answer(call: Call, promise: Promise<unknown>, isLast = false) {
    const { target, appData } = call
    if (appData)
      this.#events.creating.add(appData)

      // One microtask after the call is done, so that its answer keeps its place among the events.
    ;(target?.share?.during(promise) ?? promise).then(
      value => (this.#settle(call) ? this.#succeed(call, value) : this.#discard(call, value)),
      error => {
        if (isLast || !this.#bring(call, error)) this.#fail(call, error)
      }
    )
  }

  #fail(call: Call, error: unknown) {
    const { id, use } = call
    if (use.alias) this.#borrowing.release(use.alias)
    if (this.#settle(call)) this.#send(encodeFailure(id, describeError(error)), { id })
  }

  /**
   * What is not in the session may be in another one of its realm: it is piped from there, and then
   * the call is made again. Answers whether there is such a session.
   */
  #bring(call: Call, error: unknown): boolean {
    const { row, target, args } = call
    if (!(error instanceof errors.NotFoundError) || !target || call.use.alias) return false
    const brought = this.#borrowing.bring(row.member, target, args)
    brought?.then(
      () => this.#again(call, error),
      // It was closed on the way; what else there is, such as a codec, mediasoup says.
      cause => this.#fail(call, cause instanceof errors.NotFoundError ? error : cause)
    )
    return brought !== undefined
  }

  #again(call: Call, error: unknown) {
    const { id, row, target, args, use, timer } = call
    if (this.#inFlight.get(id)?.timer !== timer) return // It was given up.
    use.alias = this.#borrowing.apply(row.member, target!, args)
    if (!use.alias || target!.object.closed) this.#fail(call, error)
    else this.#answer(call, this.#call(row, target, args), true)
  }

  // → {"id": 13, "method": "tier.openPipe", "params": ["k3x/3", {…}, {"producerId": "…"}]}
  #openPipe(router: ServedObject, args: readonly unknown[], opened: Opened, use: Use) {
    const { creating } = this.#events
    const close = (transport: MediasoupObject) => this.#close(transport)
    return this.#arriving.run('openPipe', router, args[1], () => {
      const consuming = [args[1]]
      use.alias = this.#borrowing.apply('consume', router, consuming)
      const [transport] = args
      const { object } = router
      const isOwn = !use.alias && !(object instanceof BorrowedRouter)
      return openPipe(
        object as unknown as ms.Router,
        [transport, ...consuming],
        opened,
        creating,
        close
      ).catch(error => {
        // mediasoup looks for the Producer first. Here it is looked for only when something failed.
        throw (isOwn ? this.#objects.missingProducer(router, args[1]) : undefined) ?? error
      })
    })
  }

  // → {"method": "Consumer.close", "params": ["k3x/31"]}
  notify(method: string, params: unknown[]) {
    const row = rowOf(method)
    const entry = this.#objects.all.get(params[0] as Handle)
    // The object may be gone, and its event on the way: nobody waits for this cast.
    if (entry?.kind !== row.kind) return
    checkBorrowed(entry, row.member)
    this.#cast(row, entry, this.#argumentsOf(row, params))
  }

  /**
   * A tier in between was replaced: whoever still waits for an answer cannot know what came of the
   * call, and what it makes is closed.
   */
  forget() {
    for (const { id, row, timer } of this.#inFlight.values()) {
      clearTimeout(timer)
      this.#send(encodeFailure(id, describeError(unknownOutcome(`${row.kind}.${row.member}`))), {
        id
      })
    }
    this.#inFlight.clear()
  }

  /** Answers whether somebody still waits for the call. */
  #settle({ id, row, appData, timer }: Call): boolean {
    this.#events.creating.delete(appData)
    if (this.#inFlight.get(id)?.timer !== timer) return false
    clearTimeout(timer)
    this.#inFlight.delete(id)
    if (row.member === 'pipeToRouter') this.#events.tellPipes()
    return true
  }

  #succeed(call: Call, value: unknown) {
    const { id, row, args } = call
    let frame: Frame
    try {
      if (row.role === 'create') this.#network.made(value as MediasoupObject, args)
      frame = encodeResult(id, this.#resultOf(call, value))
    } catch (error) {
      // Nobody will know of the object.
      if (row.role === 'create') this.#close(value as MediasoupObject)
      frame = encodeFailure(id, describeError(error))
    }
    this.#send(frame, { id })
  }

  /**
   * Nobody knows any more what a call has made. What it has changed, it may have changed after that
   * was asked.
   */
  #discard({ row, target }: Call, value: unknown) {
    if (row.role === 'create') this.#close(value as MediasoupObject)
    if (row.role === 'call') this.#events.tellLive(target!)
  }

  /**
   * A worker may be stuck, and some calls it never answers: `requestKeyFrame` for audio that is
   * piped.
   */
  #giveUp({ id, row: { kind, member } }: Call) {
    this.#inFlight.delete(id)
    const error = new Error(
      `${kind}.${member}() was not answered within ${this.#leaf.timeout / 1000} s`
    )
    this.#send(encodeFailure(id, describeError(error)), { id })
  }

  #argumentsOf({ kind, member }: MethodRow, params: unknown[]): unknown[] {
    const args = kind === 'mediasoup' ? params : params.slice(1)
    for (let i = 0; i < args.length; i++)
      args[i] = decodeValue(args[i], this.#objects.resolve) ?? undefined
    checkReferences(args[0])
    checkId(member, args)
    this.#leaf.applyRules(member, args)
    return args
  }

  #cast({ member, role }: MethodRow, entry: ServedObject, args: unknown[]) {
    if (role === 'close') return this.#objects.close(entry)
    const object = entry.object as unknown as Record<string, Method<void>>
    object[member]!(...args)
  }

  #resultOf({ row: { role, kind, member }, target, opened }: Call, value: unknown): unknown {
    if (role === 'query') return member === 'dump' ? this.#dumpOf(target!, value as object) : value
    if (role === 'call')
      return { value: encodeValue(value, this.#objects.refer), live: target!.changes() }
    if (target?.object.closed)
      throw new errors.NotFoundError(`the ${kind} was closed in the meantime`)
    const object = value as MediasoupObject
    if (kind === 'mediasoup') this.#objects.add(object, this.#events)
    const announced = this.#objects.refer(object)
    if (!opened) return announced
    const consumer = opened.consumer && this.#objects.refer(opened.consumer)
    return { ...announced, consumer, loopback: this.#leaf.pipeListenInfo.loopback }
  }

  #dumpOf(target: ServedObject, dump: object): object {
    return renamed(withoutHidden(dump, target, this.#objects.all.values()), this.#borrowing.names)
  }

  #close(object: MediasoupObject) {
    const entry = servedObjectOf(object)
    if (entry) this.#objects.close(entry)
    else object.close()
  }
}

function rowOf(method: string): MethodRow {
  const row = methods.get(method)
  if (!row) throw unknownMethod(method)
  return row
}

// mediasoup trusts its callers with these: what is none ends in a rejection that nobody handles.
function checkReferences(options: unknown) {
  if (typeof options !== 'object' || options === null) return
  for (const [name, kind] of [
    ['router', 'Router'],
    ['webRtcServer', 'WebRtcServer']
  ] as const) {
    const value = (options as Record<string, unknown>)[name]
    if (!value) continue
    const isOne = typeof value === 'object' && servedObjectOf(value)?.kind === kind
    if (!isOne || value instanceof BorrowedRouter)
      throw new TypeError(`${name} must be a ${kind} of this session`)
  }
}

// The object that mediasoup will take as the appData of what it creates.
function appDataOf(args: unknown[]): unknown {
  // As good as none: mediasoup destructures it.
  if (typeof args[0] !== 'object' || args[0] === null) args[0] = {}
  const options = args[0] as { appData?: unknown }
  return (options.appData ??= {})
}
