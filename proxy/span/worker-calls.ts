// Calls of the client's Workers, and what becomes of their parts.

import type * as ms from 'mediasoup/types'
import type { Announcement } from '../../lib/codec.ts'
import { describeError } from '../../lib/errors.ts'
import type { Frame } from '../../lib/tier.ts'
import { type Handle, encodeNotification } from '../../lib/wire.ts'
import { type CallHead, type Replies, paramsOf, unknownMethod } from '../session.ts'
import { mergeWorkerDumps, sumUsages } from './dumps.ts'
import type { Knowledge } from './knowledge.ts'
import type { RouterCalls } from './router-calls.ts'
import type { ServerCalls } from './server-calls.ts'
import type { SpanningWorker, WorkerPart } from './span.ts'

type Options = Record<string, unknown>

export class WorkerCalls {
  readonly #known: Knowledge
  readonly #replies: Replies
  readonly #routers: RouterCalls
  readonly #servers: ServerCalls

  constructor(known: Knowledge, replies: Replies, routers: RouterCalls, servers: ServerCalls) {
    this.#known = known
    this.#replies = replies
    this.#routers = routers
    this.#servers = servers
  }

  async create(settings: Options | null | undefined): Promise<Announcement> {
    const { spans, growth, nextHandle } = this.#known
    const handle = nextHandle()
    const announcement = await growth.createWorker(settings, handle)
    const { appData: _, ...shared } = settings ?? {}
    const worker = spans.addWorker(handle, shared, announcement)
    spans.addWorkerPart(spans.newWorkerPart(worker), announcement)
    return { ...announcement, $: worker.handle }
  }

  call(worker: SpanningWorker, { id, method }: CallHead, frame: Frame) {
    const { below, spans } = this.#known
    if (!worker.parts.length && id != null) return below.forward(id, method, [worker.last, ...paramsOf(frame).slice(1)])
    const each = (member: string, ...args: unknown[]) => Promise.all(worker.parts.map(part => below.call(`Worker.${member}`, part.handle, ...args)))
    switch (method) {
      case 'Worker.close': {
        this.#close(worker)
        return this.#replies.answer(id, null)
      }
      case 'Worker.dump': return this.#replies.settle(id, each('dump').then(dumps => mergeWorkerDumps(dumps as ms.WorkerDump[], spans.viewOf(worker))))
      case 'Worker.getResourceUsage': return this.#replies.settle(id, each('getResourceUsage').then(usages => sumUsages(usages as ms.WorkerResourceUsage[])))
      case 'Worker.updateSettings': {
        const [, settings] = paramsOf(frame) as [Handle, Options]
        return this.#replies.settle(id, each('updateSettings', settings).then(() => {
          Object.assign(worker.settings, settings)
          return {}
        }))
      }
      case 'Worker.createRouter': return this.#replies.settle(id, this.#routers.create(worker, paramsOf(frame)[1] as Options))
      case 'Worker.createWebRtcServer': return this.#replies.settle(id, this.#servers.create(worker, paramsOf(frame)[1] as Options))
      default: throw unknownMethod(method)
    }
  }

  #close(worker: SpanningWorker) {
    if (worker.closing) return
    for (const part of worker.parts) this.#known.below.notify('Worker.close', part.handle)
    this.#known.spans.closeWorker(worker)
  }

  partHappened({ method, handle }: CallHead, frame: Frame) {
    const { workerParts } = this.#known.spans
    const part = workerParts.get(handle!)
    if (!part) return
    const { owner } = part
    const isDead = method === 'Worker.died'
    const hasEnded = method === 'Worker.subprocessclose'
    if (isDead || hasEnded) workerParts.delete(part.handle)
    if (hasEnded && owner.closing && owner.parts.every(({ handle }) => !workerParts.has(handle))) {
      this.#replies.tell(encodeNotification('Worker.subprocessclose', [owner.handle, { subprocessClosed: true }]))
    }
    if (isDead || (method === 'Worker.close' && !owner.closing)) this.#lost(part, paramsOf(frame)[2] ?? { $: 'error', ...describeError(new Error('the Worker was closed on its host')) })
  }

  /** A Worker below died: what was on it is closed, as if its Router had; the rest lives on. */
  #lost(part: WorkerPart, error: unknown) {
    const { owner } = part
    if (owner.closing) return
    const { spans } = this.#known
    spans.removeWorkerPart(part)
    if (!owner.parts.length) {
      spans.closeWorker(owner)
      return this.#replies.tell(encodeNotification('Worker.died', [owner.handle, { died: true, subprocessClosed: true }, error]))
    }
    for (const router of owner.routers) {
      for (const { kind, handle } of spans.detach(router, part)) this.#replies.tell(encodeNotification(`${kind}.routerclose`, [handle, null]))
    }
  }
}
