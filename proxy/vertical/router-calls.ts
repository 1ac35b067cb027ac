// Calls of the client's Routers: what is made on one is placed on a Worker below.

import type * as ms from 'mediasoup/types'
import type { Announcement, Reference } from '../../lib/codec.ts'
import { effectOf } from '../../lib/effects.ts'
import { errors } from '../../lib/mediasoup.ts'
import type { Frame } from '../../lib/tier.ts'
import { type Handle, unknownHandle } from '../../lib/wire.ts'
import { type CallHead, type Replies, paramsOf, refuseUnknown, unknownMethod } from '../session.ts'
import { mergeRouterDumps } from './dumps.ts'
import { createdBy, kindOf, renamed } from './frames.ts'
import { Pairing } from './pairing.ts'
import type { SessionState } from './state.ts'
import { tagged } from './tags.ts'
import type { AggregateRouter, AggregateServer, AggregateWorker, RouterPart } from './types.ts'

type Options = Record<string, unknown>

export class RouterCalls {
  readonly #state: SessionState
  readonly #replies: Replies
  readonly #pairing: Pairing

  constructor(state: SessionState, replies: Replies) {
    this.#state = state
    this.#replies = replies
    this.#pairing = new Pairing(state)
  }

  async create(
    worker: AggregateWorker,
    options: Options | null | undefined
  ): Promise<Announcement> {
    const { below, nextHandle, scaler, session, tables } = this.#state
    const handle = nextHandle()
    const { home, announcement } = await scaler.makeAtHome(worker, home =>
      below.call('Worker.createRouter', home.handle, tagged(options, session, { of: handle }))
    )
    tables.addRouter(handle, announcement, home, options?.mediaCodecs)
    return { ...announcement, $: handle, of: worker.handle }
  }

  call(head: CallHead, frame: Frame) {
    const { id, method, handle } = head
    const { below, borrowed, tables } = this.#state
    const router = tables.router(handle!)
    if (borrowed.has(handle!)) return below.pass(head, frame)
    if (!router) return refuseUnknown(head)
    const [, options] = paramsOf(frame) as [Handle, Options | null | undefined]
    if (router.closed && method !== 'Router.close') return this.#forward(head, router, options)
    switch (method) {
      case 'Router.close': {
        for (const part of router.parts.ready) below.notify(method, part.handle)
        tables.closeRouter(router)
        return this.#replies.answer(id, null)
      }
      case 'Router.dump':
        return this.#replies.settle(id, this.#dump(router))
      case 'Router.pipeToRouter':
        return void this.#pairing
          .pipeToRouter(head, router, options ?? {})
          .catch(error => this.#replies.fail(id, error))
      case 'Router.updateMediaCodecs': {
        router.mediaCodecs = options
        for (const part of router.parts.ready) below.notify(method, part.handle, options)
        return this.#replies.answer(id, null)
      }
      default:
        if (effectOf(method) !== 'creates') throw unknownMethod(method)
        return void this.#place(head, router, options).catch(error => this.#replies.fail(id, error))
    }
  }

  /** What is wrong is mediasoup's to refuse. */
  #forward(head: CallHead, { parts }: AggregateRouter, options: Options | null | undefined) {
    const { below, tables } = this.#state
    below.forward(head, head.method, [parts.home!.handle, tables.below(options)])
  }

  async #dump(router: AggregateRouter) {
    const { below, builder, scaler, tables } = this.#state
    // It may have lost its only one with a Worker below.
    if (!router.parts.ready.length)
      await builder.routerOn(router, await scaler.homeOf(router.worker)).promise
    const dumps = await Promise.all(
      router.parts.ready.map(({ handle }) => below.call('Router.dump', handle))
    )
    return mergeRouterDumps(dumps as ms.RouterDump[], tables.viewOf(router.worker))
  }

  /** Creates a transport, or an RTP observer, where the policy says. */
  async #place(head: CallHead, router: AggregateRouter, options: Options | null | undefined) {
    const { below, scaler } = this.#state
    const { method } = head
    const server = this.#serverIn(options)
    // Closed, or another Worker's.
    if (server && !router.worker.servers.has(server)) return this.#forward(head, router, options)
    // What pipes from elsewhere reach is where tier.pipeListenInfo says.
    const part = await (method === 'Router.createPipeTransport'
      ? scaler.placeAtHome(router)
      : scaler.place(router, server))
    if (router.closed) throw new errors.NotFoundError('the Router was closed in the meantime')
    const serverPart = server?.parts.on(part.worker) ?? server?.parts.home
    const params = serverPart ? { ...options, webRtcServer: { $: serverPart.handle } } : options
    below.forward(head, method, [part.handle, params], answer => this.#placed(part, answer))
  }

  #serverIn(options: Options | null | undefined): AggregateServer | undefined {
    const reference = options?.webRtcServer as Reference | null | undefined
    if (!reference) return undefined
    const server = this.#state.tables.server(reference.$)
    if (typeof reference.$ !== 'string')
      throw new TypeError('webRtcServer must be a WebRtcServer of this session')
    if (!server) throw new errors.NotFoundError(unknownHandle('WebRtcServer', reference.$))
    return server
  }

  #placed(part: RouterPart, answer: Frame): Frame {
    const { scaler, tables } = this.#state
    const handle = createdBy(answer)
    if (handle !== undefined) tables.objects.addTransport(part, handle, kindOf(answer))
    scaler.release(part)
    return renamed(answer, part)
  }

  /** mediasoup made something itself: the transports of pipeToRouter(). */
  happened({ handle, method }: CallHead, frame: Frame) {
    const { borrowed, tables } = this.#state
    if (borrowed.happened(method, handle!)) return this.#replies.tell(frame)
    const part = tables.routerParts.get(handle!)
    if (!part) return
    const announcement = paramsOf(frame)[2] as Announcement | undefined
    if (announcement) tables.objects.addTransport(part, announcement.$, announcement.kind)
    this.#replies.tell(renamed(frame, part))
  }
}
