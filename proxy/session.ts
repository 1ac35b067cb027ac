// What sessions on proxies have in common: a client's frames come in, and are dispatched by their
// heads.

import { LimitError, ProtocolError, codes, describeError } from '../lib/errors.ts'
import type { Hello } from '../lib/hello.ts'
import type { Load } from '../lib/load.ts'
import { methods } from '../lib/methods.ts'
import { encodeDiscovery } from '../lib/openrpc.ts'
import { type RecallOptions, recallOptions } from '../lib/recall.ts'
import { errors } from '../lib/mediasoup.ts'
import { type OwnMethod, isOfTier } from '../lib/tier-model.ts'
import type { Frame, Link } from '../lib/tier.ts'
import { peekHeader } from '../lib/frame-header.ts'
import type { CallHead, Head } from '../lib/frame.ts'
import {
  type Handle,
  type Id,
  badRequest,
  decode,
  encodeFailure,
  encodeNotification,
  encodeResult,
  normalize,
  unknownHandle,
  unknownMethod
} from '../lib/wire.ts'
import type { Whose } from '../lib/session-info.ts'
import type { RpcClient } from './rpc-client.ts'
import type { SurveyedParty, TierSurvey } from './tier-survey.ts'

export { unknownMethod } from '../lib/wire.ts'
export type { CallHead } from '../lib/frame.ts'

/** What tells the load of the tier. */
export interface LoadSource {
  readonly load: Load
  on(event: 'load', listener: (load: Load) => void): unknown
  off(event: 'load', listener: (load: Load) => void): unknown
}

/** What sessions on a proxy have of it. */
export interface ProxyTier {
  readonly load: LoadSource
  readonly survey: TierSurvey
}

/** A session on a tier below. */
export interface ChildSession {
  link: Link
  rpc: RpcClient
}

/** What goes to the client. */
export interface Replies {
  /** Sends a frame; with its head, if it is known. */
  tell(frame: Frame, head?: Head): void
  answer(id: Id | null | undefined, result: unknown): void
  fail(id: Id | null | undefined, error: unknown): void
  /** Answers with what a promise comes to. */
  settle(id: Id | null | undefined, promise: Promise<unknown>): void
}

// When this much waits for a client that reads too slowly, whoever below sends more has to wait.
const MAX_BACKLOG_BYTES = 256 * 1024

// When this much waits for a tier below, it is asked nothing more, and what is not answered makes
// the client wait.
const MAX_WAITING_BYTES = 16 * 1024 * 1024

export abstract class ProxySession implements Replies, SurveyedParty {
  protected readonly link: Link
  /** Whose it is, where that is known. */
  readonly whose: Whose | undefined
  readonly #load: LoadSource
  readonly #survey: TierSurvey
  readonly #held = new Set<Link>()
  // The tiers below for which the client waits.
  readonly #blocking = new Set<Link>()

  constructor(link: Link, { load, survey }: ProxyTier, whose?: Whose) {
    this.link = link
    this.whose = whose
    this.#load = load
    this.#survey = survey
    survey.sessions.add(this)
    link.on('frame', (frame, head) => this.receive(frame, head))
    link.on('drain', () => this.#letGo())
    link.once('close', () => {
      load.off('load', this.#tellLoad)
      survey.sessions.delete(this)
      this.end()
    })
  }

  /** Treats a frame, or passes it on. What it throws goes to the client. */
  protected abstract dispatch(head: CallHead, frame: Frame): void

  abstract surveyedHandles(): Iterable<Handle>

  /** The client is gone. */
  protected abstract end(): void

  /** @param via the tiers above */
  protected abstract hello(via: string[]): Promise<Hello>

  // → {"id": 31, "method": "tier.recall", "params": [{"nodes": ["k3x"], "members": ["id"]}]}
  protected abstract recall(id: Id, options: Required<RecallOptions>): Promise<{ count: number }>

  protected dispatchOwn({ id, method }: CallHead, frame: Frame) {
    const own = method as OwnMethod
    switch (own) {
      case 'tier.hello':
        return this.settle(id, this.hello(viaOf(frame)))
      case 'tier.load':
        return this.#subscribeToLoad(id, frame)
      case 'tier.survey':
        if (id == null) throw unknownMethod(method)
        return void this.#survey.viewers.view(this.link, id, paramsOf(frame)[0])
      case 'tier.recall':
        if (id == null) throw unknownMethod(method)
        return this.settle(id, this.recall(id, recallOptions(paramsOf(frame))))
      case 'rpc.discover':
        return void (id != null && this.tell(encodeDiscovery(id), { id }))
    }
    own satisfies never
  }

  #subscribeToLoad(id: Id | null | undefined, frame: Frame) {
    const { subscribe = true } = Object(paramsOf(frame)[0]) as { subscribe?: boolean }
    this.#load.off('load', this.#tellLoad)
    if (subscribe) this.#load.on('load', this.#tellLoad)
    this.answer(id, this.#load.load)
  }

  #tellLoad = (load: Load) => {
    if (this.link.bufferedAmount === 0) this.tell(encodeNotification('tier.load', [load]))
  }

  /**
   * Something came from below: if the client does not keep up, what follows waits there, and nobody
   * else does.
   */
  protected holdBack(below: Link) {
    if (this.link.bufferedAmount <= MAX_BACKLOG_BYTES || this.#held.has(below)) return
    this.#held.add(below)
    below.pause()
  }

  #letGo() {
    for (const link of this.#held) link.resume()
    this.#held.clear()
  }

  /**
   * Something goes to a tier below. If that does not take what waits for it already, calls are
   * refused, so that those to others go on; only a message that nobody answers makes the client
   * wait. A tier in this process sees to that itself, and asks to wait.
   *
   * @throws LimitError
   */
  protected holdOff(below: Link, { id, method }: CallHead) {
    const { bufferedAmount } = below
    if (bufferedAmount <= MAX_WAITING_BYTES || !methods.has(method)) return
    if (id != null && bufferedAmount < Infinity) {
      throw new LimitError(
        codes.inFlight,
        `${method} was refused: the tier below does not keep up, and ${bufferedAmount} bytes wait for it`
      )
    }
    if (this.#blocking.has(below)) return
    this.#blocking.add(below)
    this.link.pause()
    const goOn = () => {
      below.off('drain', goOn).off('close', goOn)
      this.#blocking.delete(below)
      if (!this.#blocking.size) this.link.resume()
    }
    below.on('drain', goOn).on('close', goOn)
  }

  /** Dispatches a frame that came from the client, now or before. */
  protected receive(frame: Frame, head?: Head) {
    try {
      head ??= peekHeader(frame)
      if (!head) ({ frame, head } = normalize(frame))
      if (head.method === undefined)
        throw badRequest(
          'a tier sends no requests to its clients, so it expects no answers',
          head.id
        )
      if (head.id === null) throw badRequest('the id of a request is a number or a string')
      this.dispatch(head as CallHead, frame)
    } catch (error) {
      this.fail(head?.id ?? (error instanceof ProtocolError ? error.id : null), error)
    }
  }

  tell(frame: Frame, head?: Head) {
    this.link.send(frame, head)
  }

  answer(id: Id | null | undefined, result: unknown) {
    if (id != null) this.link.send(encodeResult(id, result))
  }

  fail(id: Id | null | undefined, error: unknown) {
    this.link.send(encodeFailure(id ?? null, describeError(error)))
  }

  settle(id: Id | null | undefined, promise: Promise<unknown>) {
    promise.then(
      result => this.answer(id, result),
      error => this.fail(id, error)
    )
  }
}

/** The params of a frame that is treated. */
export const paramsOf = (frame: Frame) => (decode(frame) as unknown as { params: unknown[] }).params

/** Nobody has that object. What is not answered may be about one that is gone. */
export function refuseUnknown({ id, method, handle }: CallHead) {
  const kind = isOfTier(method) ? 'object' : method.slice(0, method.indexOf('.'))
  if (id != null) throw new errors.NotFoundError(unknownHandle(kind, handle))
}

// More tiers than any tree has one above the other.
const MAX_VIA = 64

/** The tiers that a `tier.hello` came through. */
function viaOf(frame: Frame): string[] {
  const { via = [] } = Object(paramsOf(frame)[0]) as { via?: unknown }
  const isPath =
    Array.isArray(via) && via.length <= MAX_VIA && via.every(node => typeof node === 'string')
  if (!isPath)
    throw new ProtocolError(codes.params, `via is a list of at most ${MAX_VIA} names of tiers`)
  return via
}
