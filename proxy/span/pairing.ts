// pipeToRouter() between Routers of the client: from the Worker where the Producer is, to where the other Router is at home.

import type { Reference } from '../../lib/codec.ts'
import type { Id } from '../../lib/wire.ts'
import { bring } from './bring.ts'
import type { Knowledge } from './knowledge.ts'
import type { Produced, RouterPart, SpanningRouter } from './span.ts'

interface Options {
  producerId?: string
  dataProducerId?: string
  keepId?: boolean
  router?: Reference
}

export class Pairing {
  readonly #known: Knowledge

  constructor(known: Knowledge) {
    this.#known = known
  }

  async pipeToRouter(id: Id | null | undefined, router: SpanningRouter, options: Options) {
    const { below, replicas, spans } = this.#known
    const { producerId, dataProducerId, keepId = true } = options
    const target = spans.routers.get(options.router?.$ ?? '')
    const produced = producerId === undefined ? router.dataProducers.get(dataProducerId!) : router.producers.get(producerId)
    if (!target || target === router || target.closed || !produced) {
      const to = target === router ? router.home : target?.home
      return below.forward(id, 'Router.pipeToRouter', [router.home, { ...options, router: to === undefined ? options.router : { $: to } }])
    }
    const { here, there } = await this.#pairOf(router, target, produced)
    if (produced.at.part !== here) await replicas.hold(produced, here).ready
    const known = keepId ? spans.objects.producerWith(produced.id, target.worker) : undefined
    if (known && known.at.part.worker !== there.worker) await bring(this.#known, known, there.worker)
    below.forward(id, 'Router.pipeToRouter', [here.handle, { ...options, router: { $: there.handle } }])
  }

  /** Two Routers of the client are piped together at one part of each, so that they have one pair of PipeTransports. */
  async #pairOf(router: SpanningRouter, target: SpanningRouter, { at }: Produced): Promise<{ here: RouterPart; there: RouterPart }> {
    const { growth, spans } = this.#known
    const [here, there] = [router.pairs.get(target), target.pairs.get(router)]
    const isLasting = (part: RouterPart) => spans.routerParts.has(part.handle) && !part.worker.draining
    if (here && there && isLasting(here) && isLasting(there)) return { here, there }
    const source = [at.part, ...router.made].find(isLasting) ?? at.part
    router.pairs.set(target, source)
    // Within one Worker of the client, on one below: it refuses to have two Producers of the same id.
    const workers = target.worker === router.worker ? [source.worker] : [...target.parts.keys()]
    const worker = workers.find(({ draining }) => !draining) ?? workers[0]
    const part = worker ? await growth.routerOn(target, worker) : await growth.choose(target)
    // A concurrent call may have been first.
    const known = target.pairs.get(router)
    if (!known || !isLasting(known)) target.pairs.set(router, part)
    return { here: router.pairs.get(target)!, there: target.pairs.get(router)! }
  }
}
