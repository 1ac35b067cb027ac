// Calls of the client's Routers: what is made on one is placed on a Worker below.

import type * as ms from 'mediasoup/types'
import type { Announcement, Reference } from '../../lib/codec.ts'
import { DrainingError } from '../../lib/errors.ts'
import { errors } from '../../lib/mediasoup.ts'
import type { Frame } from '../../lib/tier.ts'
import type { Handle } from '../../lib/wire.ts'
import { type CallHead, type Replies, paramsOf, unknownMethod } from '../session.ts'
import { mergeRouterDumps } from './dumps.ts'
import { createdBy, kindOf, renamed } from './frames.ts'
import type { Knowledge } from './knowledge.ts'
import { count } from './load.ts'
import { Pairing } from './pairing.ts'
import type { RouterPart, SpanningRouter, SpanningWorker } from './span.ts'
import { tagged } from './tags.ts'

type Options = Record<string, unknown>

export class RouterCalls {
  readonly #known: Knowledge
  readonly #replies: Replies
  readonly #pairing: Pairing

  constructor(known: Knowledge, replies: Replies) {
    this.#known = known
    this.#replies = replies
    this.#pairing = new Pairing(known)
  }

  async create(worker: SpanningWorker, options: Options | null | undefined): Promise<Announcement> {
    const { below, growth, nextHandle, session, spans } = this.#known
    const home = await growth.homeOf(worker)
    const handle = nextHandle()
    const announcement = await below.call('Worker.createRouter', home.handle, tagged(options, session, { of: handle })).catch(error => {
      if (error instanceof DrainingError && worker.parts.some(({ draining }) => !draining)) return undefined
      throw error
    }) as Announcement | undefined
    if (!announcement) return this.create(worker, options)
    if (worker.closing) throw new errors.WorkerClosedError('the Worker was closed in the meantime')
    const router = spans.addRouter(handle, worker, home, announcement, options?.mediaCodecs)
    return { ...announcement, $: router.handle, of: worker.handle }
  }

  call(router: SpanningRouter, head: CallHead, frame: Frame) {
    const { id, method } = head
    const { below, spans } = this.#known
    const [, options] = paramsOf(frame) as [Handle, Options | null | undefined]
    if (router.closed && method !== 'Router.close') return below.forward(id, method, [router.home, spans.below(options)])
    switch (method) {
      case 'Router.close': {
        this.#close(router)
        return this.#replies.answer(id, null)
      }
      case 'Router.dump': return this.#replies.settle(id, this.#dump(router))
      case 'Router.createWebRtcTransport':
      case 'Router.createPlainTransport':
      case 'Router.createPipeTransport':
      case 'Router.createDirectTransport':
      case 'Router.createActiveSpeakerObserver':
      case 'Router.createAudioLevelObserver': return void this.#place(head, router, options)
      case 'Router.pipeToRouter': return void this.#pairing.pipeToRouter(id, router, options ?? {}).catch(error => this.#replies.fail(id, error))
      case 'Router.updateMediaCodecs': {
        router.mediaCodecs = options
        for (const part of router.made) below.notify(method, part.handle, options)
        return this.#replies.answer(id, null)
      }
      default: throw unknownMethod(method)
    }
  }

  async #dump(router: SpanningRouter) {
    const { below, growth, spans } = this.#known
    // It may have lost its only one with a Worker below.
    if (!router.parts.size) await growth.routerOn(router, router.worker.parts[0]!)
    const parts = await Promise.all(router.parts.values())
    const dumps = await Promise.all(parts.map(({ handle }) => below.call('Router.dump', handle)))
    return mergeRouterDumps(dumps as ms.RouterDump[], spans.viewOf(router.worker))
  }

  #close(router: SpanningRouter) {
    for (const part of router.made) this.#known.below.notify('Router.close', part.handle)
    this.#known.spans.closeRouter(router)
  }

  /** Creates a transport, or an RTP observer, where the policy says. */
  async #place({ id, method }: CallHead, router: SpanningRouter, options: Options | null | undefined) {
    const { below, growth, spans } = this.#known
    const server = options?.webRtcServer as Reference | null | undefined
    const known = spans.servers.get(server?.$ ?? '')
    // Closed, or another Worker's: that is mediasoup's to refuse.
    if (known && !router.worker.servers.has(known)) return below.forward(id, method, [router.home, spans.below(options)])
    let part: RouterPart | undefined
    try {
      // What pipes from elsewhere reach is where tier.pipeListenInfo says.
      const chosen = part = (method === 'Router.createPipeTransport' && growth.atHome(router)) || await growth.choose(router)
      if (router.closed) throw new errors.NotFoundError('the Router was closed in the meantime')
      const params = server ? { ...options, webRtcServer: await growth.serverOn(server, part.worker) } : options
      below.forward(id, method, [part.handle, params], answer => this.#placed(chosen, answer))
    } catch (error) {
      if (part) count(router, part.worker, -1)
      this.#replies.fail(id, error)
    }
  }

  #placed(part: RouterPart, answer: Frame): Frame {
    const { objects } = this.#known.spans
    const handle = createdBy(answer)
    if (handle === undefined) count(part.owner, part.worker, -1)
    // A WebRtcServer's event may have announced it already.
    else if (!objects.placed.has(handle)) objects.addPlaced(part, handle, kindOf(answer))
    return renamed(answer, part)
  }

  /** mediasoup made something itself: the transports of pipeToRouter(). */
  partHappened({ handle }: CallHead, frame: Frame) {
    const { spans } = this.#known
    const part = spans.routerParts.get(handle!)
    if (!part) return
    const announcement = paramsOf(frame)[2] as Announcement | undefined
    if (announcement) {
      spans.objects.addPlaced(part, announcement.$, announcement.kind)
      count(part.owner, part.worker, 1)
    }
    this.#replies.tell(renamed(frame, part))
  }
}
