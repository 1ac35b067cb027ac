// pipeToRouter() between Routers of the client: from the Worker where the Producer is, to where the
// other Router is at home.

import type { Reference } from '../../lib/codec.ts'
import type { CallHead } from '../../lib/frame.ts'
import { claimId } from './claim-id.ts'
import type { SessionState } from './state.ts'
import type { AggregateRouter, ProducerRecord, RouterPart } from './types.ts'

interface Options {
  producerId?: string
  dataProducerId?: string
  keepId?: boolean
  router?: Reference
}

export class Pairing {
  readonly #state: SessionState

  constructor(state: SessionState) {
    this.#state = state
  }

  async pipeToRouter(head: CallHead, router: AggregateRouter, options: Options) {
    const { below, replicas, tables } = this.#state
    const { producerId, dataProducerId, keepId = true } = options
    const target = tables.router(options.router?.$ ?? '')
    const producer =
      producerId === undefined
        ? router.dataProducers.get(dataProducerId!)
        : router.producers.get(producerId)
    if (!target || target === router || target.closed || !producer) {
      return below.forward(head, 'Router.pipeToRouter', [
        router.parts.home!.handle,
        tables.below({ ...options })
      ])
    }
    const { here, there } = await this.#pairOf(router, target, producer)
    if (producer.at.part !== here) await replicas.hold(producer, here).ready
    const known = keepId ? tables.objects.producerWith(producer.id, target.worker) : undefined
    if (known && known.at.part.worker !== there.worker)
      await claimId(this.#state, known, there.worker)
    below.forward(head, 'Router.pipeToRouter', [
      here.handle,
      { ...options, router: { $: there.handle } }
    ])
  }

  /**
   * Two Routers of the client are piped together at one part of each, so that they have one pair of
   * PipeTransports.
   */
  async #pairOf(
    router: AggregateRouter,
    target: AggregateRouter,
    { at }: ProducerRecord
  ): Promise<{ here: RouterPart; there: RouterPart }> {
    const piped = () => [router.pipedTo.get(target), target.pipedTo.get(router)].map(lasting)
    const here = piped()[0] ?? [at.part, ...router.parts.ready].find(lasting) ?? at.part
    const there = piped()[1] ?? (await this.#partOf(target, here))
    // A concurrent call may have been first; and either may have been closed.
    const [known = here, other = there] = piped()
    if (!router.closed && !target.closed) {
      router.pipedTo.set(target, known)
      target.pipedTo.set(router, other)
    }
    return { here: known, there: other }
  }

  async #partOf(target: AggregateRouter, { worker }: RouterPart): Promise<RouterPart> {
    const { builder, scaler } = this.#state
    // Within one Worker of the client, on one below: it refuses to have two Producers of the same
    // id.
    if (worker.owner === target.worker) return builder.routerOn(target, worker).promise
    const [first] = target.parts.all
    const chosen = target.parts.all.find(part => !part.worker.draining) ?? first
    if (chosen) return chosen.promise
    const placed = await scaler.place(target)
    scaler.release(placed)
    return placed
  }
}

const lasting = (part: RouterPart | undefined) =>
  part?.state === 'ready' && !part.worker.draining ? part : undefined
