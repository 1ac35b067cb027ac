// Calls of mediasoup's API: on which object, with which arguments, and what their answers say.

import type * as ms from 'mediasoup/types'
import { decodeValue, encodeValue } from '../lib/codec.ts'
import { describeError, unknownOutcome } from '../lib/errors.ts'
import { errors } from '../lib/mediasoup.ts'
import { type MethodRow, methods } from '../lib/methods.ts'
import type { Frame } from '../lib/tier.ts'
import { type Handle, type Id, encodeFailure, encodeResult, notUnique, unknownMethod } from '../lib/wire.ts'
import { mend } from './channel.ts'
import { type Entry, type MediasoupObject, entryOf } from './entry.ts'
import type { Events } from './events.ts'
import type { Leaf } from './leaf.ts'
import type { Tenant } from './lease.ts'
import type { Objects } from './objects.ts'
import type { Send } from './session.ts'

type Method<R> = (...args: unknown[]) => R

interface CallsOptions {
  leaf: Leaf
  tenant: Tenant
  objects: Objects
  events: Events
  send: Send
}

export class Calls {
  readonly #leaf: Leaf
  readonly #tenant: Tenant
  readonly #objects: Objects
  readonly #events: Events
  readonly #send: Send
  readonly #inFlight = new Map<Id, string>()
  #recalls = 0
  #ended = false
  // What is called of mediasoup itself.
  readonly #mediasoup = { createWorker: (settings?: ms.WorkerSettings) => this.#leaf.createWorker(this.#tenant, settings) }

  constructor({ leaf, tenant, objects, events, send }: CallsOptions) {
    this.#leaf = leaf
    this.#tenant = tenant
    this.#objects = objects
    this.#events = events
    this.#send = send
  }

  // → {"id": 12, "method": "Router.createWebRtcTransport", "params": ["k3x/17", {…}]}
  request(id: Id, method: string, params: unknown[]) {
    if (this.#inFlight.has(id)) throw notUnique(id)
    const row = rowOf(method)
    const target = row.kind === 'mediasoup' ? undefined : this.#objects.find(row.kind, params[0])
    const args = this.#argumentsOf(row, params, target)
    if (row.role === 'cast' || row.role === 'media' || row.role === 'close') {
      this.#cast(row, target!, args)
      return this.#send(encodeResult(id, null), { id })
    }
    const creates = row.role === 'create' ? appDataOf(args) : undefined
    const object = (target?.object ?? this.#mediasoup) as unknown as Record<string, Method<Promise<unknown>>>
    const call = object[row.member]!(...args)
    if (target) mend(target.root.object)
    const promise = target?.lease?.during(call) ?? call
    this.#inFlight.set(id, method)
    if (creates) this.#events.creating.add(creates)

    // One microtask after the call is done, so that its answer keeps its place among the events.
    const recalls = this.#recalls
    promise.then(
      value => recalls === this.#recalls ? this.#answer(id, row, creates, () => encodeResult(id, this.#resultOf(row, target, value))) : this.#discard(row, target, creates, value),
      error => recalls === this.#recalls ? this.#answer(id, row, creates, () => encodeFailure(id, describeError(error))) : this.#events.creating.delete(creates)
    )
  }

  // → {"method": "Consumer.close", "params": ["k3x/31"]}
  notify(method: string, params: unknown[]) {
    const row = rowOf(method)
    const entry = this.#objects.all.get(params[0] as Handle)
    // The object may be gone, and its event on the way: nobody waits for this cast.
    if (entry?.kind === row.kind) this.#cast(row, entry, this.#argumentsOf(row, params, entry))
  }

  /** A tier in between was replaced: whoever still waits for an answer cannot know what came of the call, and what it makes is closed. */
  forget() {
    this.#recalls++
    for (const [id, method] of this.#inFlight) {
      this.#send(encodeFailure(id, describeError(unknownOutcome(method))), { id })
    }
    this.#inFlight.clear()
  }

  end() {
    this.#ended = true
  }

  /** Nobody knows any more what a call has made. What it has changed, it may have changed after that was asked. */
  #discard({ role }: MethodRow, target: Entry | undefined, creates: unknown, value: unknown) {
    this.#events.creating.delete(creates)
    if (role === 'create') (value as MediasoupObject).close()
    if (role === 'call') this.#events.tellLive(target!)
  }

  #answer(id: Id, { member }: MethodRow, creates: unknown, encode: () => Frame) {
    this.#inFlight.delete(id)
    if (member === 'pipeToRouter') this.#events.tellPipes()
    try {
      this.#send(encode(), { id })
    } catch (error) {
      this.#send(encodeFailure(id, describeError(error)), { id })
    }
    this.#events.creating.delete(creates)
  }

  #argumentsOf({ kind, member }: MethodRow, params: unknown[], target: Entry | undefined): unknown[] {
    const args = kind === 'mediasoup' ? params : params.slice(1)
    for (let i = 0; i < args.length; i++) args[i] = decodeValue(args[i], this.#objects.resolve) ?? undefined
    checkReferences(args[0])
    if (target) this.#tenant.aliases.resolve(args[0], target, this.#objects.all)
    this.#leaf.applyRules(member, args)
    return args
  }

  #cast({ member, role }: MethodRow, entry: Entry, args: unknown[]) {
    if (role === 'close') return this.#objects.close(entry)
    const object = entry.object as unknown as Record<string, Method<void>>
    try {
      object[member]!(...args)
    } catch (error) {
      mend(entry.root.object)
      throw error
    }
  }

  #resultOf({ role, kind }: MethodRow, target: Entry | undefined, value: unknown): unknown {
    if (role === 'query') return value
    if (role === 'call') return { value: encodeValue(value, this.#objects.refer), live: target!.changes() }
    const object = value as MediasoupObject
    if (kind === 'mediasoup') this.#objects.add(object, this.#events)
    if (this.#ended || target?.object.closed) {
      object.close()
      throw new errors.NotFoundError(`the ${kind} was closed in the meantime`)
    }
    return this.#objects.refer(object)
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
