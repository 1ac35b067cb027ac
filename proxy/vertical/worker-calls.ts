// Calls of the client's Workers, and what becomes of their parts.

import type * as ms from 'mediasoup/types'
import type { Announcement } from '../../lib/codec.ts'
import { describeError } from '../../lib/errors.ts'
import type { Frame } from '../../lib/tier.ts'
import { type Handle, encodeNotification } from '../../lib/wire.ts'
import { type CallHead, type Replies, paramsOf, refuseUnknown, unknownMethod } from '../session.ts'
import { mergeWorkerDumps, sumUsages } from './dumps.ts'
import type { RouterCalls } from './router-calls.ts'
import type { ServerCalls } from './server-calls.ts'
import type { SessionState } from './state.ts'
import type { AggregateWorker, WorkerPart } from './types.ts'

type Options = Record<string, unknown>

export class WorkerCalls {
  readonly #state: SessionState
  readonly #replies: Replies
  readonly #routers: RouterCalls
  readonly #servers: ServerCalls

  constructor(state: SessionState, replies: Replies, routers: RouterCalls, servers: ServerCalls) {
    this.#state = state
    this.#replies = replies
    this.#routers = routers
    this.#servers = servers
  }

  async create(settings: Options | null | undefined): Promise<Announcement> {
    const { tables, builder, nextHandle } = this.#state
    const handle = nextHandle()
    const announcement = await builder.createWorker(settings, handle)
    const { appData: _, ...shared } = settings ?? {}
    const worker = tables.addWorker(handle, announcement, shared)
    tables.addPart(worker.parts.add(tables.newWorkerPart(worker)), announcement)
    return { ...announcement, $: worker.handle }
  }

  call(head: CallHead, frame: Frame) {
    const { id, method, handle } = head
    const { below, tables } = this.#state
    const worker = tables.worker(handle!)
    if (!worker) return refuseUnknown(head)
    const { parts } = worker
    if (!parts.ready.length && id != null)
      return below.forward(head, method, [parts.home!.handle, ...paramsOf(frame).slice(1)])
    const each = (member: string, ...args: unknown[]) =>
      Promise.all(parts.ready.map(part => below.call(`Worker.${member}`, part.handle, ...args)))
    switch (method) {
      case 'Worker.close': {
        this.#close(worker)
        return this.#replies.answer(id, null)
      }
      case 'Worker.dump':
        return this.#replies.settle(
          id,
          each('dump').then(dumps =>
            mergeWorkerDumps(dumps as ms.WorkerDump[], tables.viewOf(worker))
          )
        )
      case 'Worker.getResourceUsage':
        return this.#replies.settle(
          id,
          each('getResourceUsage').then(usages => sumUsages(usages as ms.WorkerResourceUsage[]))
        )
      case 'Worker.updateSettings': {
        const [, settings] = paramsOf(frame) as [Handle, Options]
        return this.#replies.settle(
          id,
          each('updateSettings', settings).then(() => {
            worker.settings = { ...worker.settings, ...settings }
            return {}
          })
        )
      }
      case 'Worker.createRouter':
        return this.#replies.settle(id, this.#routers.create(worker, paramsOf(frame)[1] as Options))
      case 'Worker.createWebRtcServer':
        return this.#replies.settle(id, this.#servers.create(worker, paramsOf(frame)[1] as Options))
      default:
        throw unknownMethod(method)
    }
  }

  #close(worker: AggregateWorker) {
    if (worker.closed) return
    for (const part of worker.parts.ready) this.#state.below.notify('Worker.close', part.handle)
    this.#state.tables.closeWorker(worker)
  }

  happened({ method, handle }: CallHead, frame: Frame) {
    const { tables } = this.#state
    const part = tables.workerParts.get(handle!)
    if (!part) return
    const { owner } = part
    const isDead = method === 'Worker.died'
    if (!owner.closed) {
      if (isDead || method === 'Worker.close')
        this.#lost(
          part,
          paramsOf(frame)[2] ?? {
            $: 'error',
            ...describeError(new Error('the Worker was closed on its host'))
          }
        )
      return
    }
    if (!isDead && method !== 'Worker.subprocessclose') return
    tables.removeWorkerPart(part)
    if (!owner.parts.ready.length)
      this.#replies.tell(
        encodeNotification('Worker.subprocessclose', [owner.handle, { subprocessClosed: true }])
      )
  }

  /** A Worker below died: what was on it is closed, as if its Router had; the rest lives on. */
  #lost(part: WorkerPart, error: unknown) {
    const { owner } = part
    const { tables } = this.#state
    const transports = tables.removeWorkerPart(part)
    if (owner.parts.ready.length) {
      for (const { kind, handle } of transports)
        this.#replies.tell(encodeNotification(`${kind}.routerclose`, [handle, null]))
    } else {
      tables.closeWorker(owner)
      this.#replies.tell(
        encodeNotification('Worker.died', [
          owner.handle,
          { died: true, subprocessClosed: true },
          error
        ])
      )
    }
  }
}
