// tier.openPipe on a Router of the client, asked by a tier above: the end is where the Router is at
// home, and what is to cross is piped there first.

import type { Announcement } from '../../lib/codec.ts'
import { errors } from '../../lib/mediasoup.ts'
import type { Frame } from '../../lib/tier.ts'
import type { Handle } from '../../lib/wire.ts'
import { type CallHead, type Replies, paramsOf, refuseUnknown } from '../session.ts'
import { renamed, resultOf } from './frames.ts'
import type { SessionState } from './state.ts'
import type { AggregateRouter, Replica, RouterPart } from './types.ts'

interface Consuming {
  producerId?: string
  dataProducerId?: string
}

export class PipeCalls {
  readonly #state: SessionState
  readonly #replies: Replies

  constructor(state: SessionState, replies: Replies) {
    this.#state = state
    this.#replies = replies
  }

  // → {"id": 13, "method": "tier.openPipe", "params": ["q8w/3", {…}, {"producerId": "…"}]}
  open(head: CallHead, frame: Frame) {
    const { below, borrowed, tables } = this.#state
    if (borrowed.has(head.handle!)) return below.pass(head, frame)
    const router = tables.router(head.handle!)
    if (!router) return refuseUnknown(head)
    const [, ...params] = paramsOf(frame)
    this.#open(head, router, params).catch(error => this.#replies.fail(head.id, error))
  }

  async #open(head: CallHead, router: AggregateRouter, params: unknown[]) {
    const { below, replicas, scaler } = this.#state
    if (router.closed) throw new errors.NotFoundError('the Router was closed')
    const part = await scaler.placeAtHome(router)
    let replica: Replica | undefined
    try {
      replica = this.#hold(router, part, params[1] as Consuming | undefined)
      await replica?.ready
      if (router.closed) throw new errors.NotFoundError('the Router was closed in the meantime')
    } catch (error) {
      if (replica) replicas.release(replica)
      scaler.release(part)
      throw error
    }
    below.forward(head, head.method, [part.handle, ...params], answer =>
      this.#opened(part, replica, answer)
    )
  }

  /** What is to cross, where it is not. */
  #hold(router: AggregateRouter, part: RouterPart, consuming?: Consuming): Replica | undefined {
    const { producerId, dataProducerId } = consuming ?? {}
    const record =
      router.producers.get(producerId ?? '') ?? router.dataProducers.get(dataProducerId ?? '')
    if (!record || record.at.part === part) return undefined
    return this.#state.replicas.hold(record, part)
  }

  #opened(part: RouterPart, replica: Replica | undefined, answer: Frame): Frame {
    const { replicas, scaler, tables } = this.#state
    const opened = resultOf(answer) as (Announcement & { consumer?: Announcement }) | undefined
    if (opened) tables.objects.addTransport(part, opened.$, opened.kind)
    const consumer = opened?.consumer
    const transport = tables.objects.transportOf(opened?.$ ?? ('' as Handle))
    if (consumer && transport) tables.objects.addConsumer(consumer.$, transport, replica)
    else if (replica) replicas.release(replica)
    scaler.release(part)
    return renamed(answer, part)
  }
}
