// Transports and RTP observers of the client, and the Producers and Consumers on them: on which Worker they are, and who uses
// what there. Nothing here sends anything.

import type * as ms from 'mediasoup/types'
import { Closed } from '../../lib/closed.ts'
import type { Announcement } from '../../lib/codec.ts'
import { kinds } from '../../lib/methods.ts'
import type { Handle } from '../../lib/wire.ts'
import type { Replicas } from './replicas.ts'
import type { Placed, Produced, Replica, RouterPart, SpanningWorker, WorkerPart } from './span.ts'
import { count, promise } from './load.ts'

export class Objects {
  readonly placed = new Map<Handle, Placed>()
  readonly #produced = new Map<Handle, Produced>()
  readonly #consumers = new Map<Handle, Placed>()
  readonly #closed = new Closed<Placed>()
  readonly #replicas: Replicas
  readonly #onVacated: (worker: WorkerPart) => void

  /** @param onVacated is told when a Worker below carries less than before */
  constructor(replicas: Replicas, onVacated: (worker: WorkerPart) => void) {
    this.#replicas = replicas
    this.#onVacated = onVacated
  }

  end() {
    this.#closed.end()
  }

  addPlaced(part: RouterPart, handle: Handle, kind: string) {
    // One string for all of a kind.
    const placed: Placed = { handle, kind: kinds.get(kind)?.kind ?? kind, part }
    part.placed.add(placed)
    part.worker.objects++
    this.placed.set(handle, placed)
  }

  /** Where a transport or an RTP observer is, or was a moment ago. */
  placeOf(handle: Handle): Placed | undefined {
    return this.placed.get(handle) ?? this.#closed.get(handle)
  }

  removePlaced(placed: Placed) {
    if (!this.placed.delete(placed.handle)) return
    const { owner, worker } = placed.part
    this.#closed.add(placed)
    placed.part.placed.delete(placed)
    worker.objects--
    count(owner, worker, -1)
    for (const produced of placed.produced ?? []) this.#removeProduced(produced)
    for (const user of placed.uses?.keys() ?? []) {
      this.#removeConsumer(user)
      this.releaseUse(placed, user) // A Producer that it observed.
    }
    this.#onVacated(worker)
  }

  addProduced(at: Placed, { $, kind, members, appData }: Announcement, mediaCodecs = at.part.owner.mediaCodecs) {
    const { encodings } = members.consumableRtpParameters as ms.RtpParameters | undefined ?? {}
    const ssrcs = encodings?.map(({ ssrc }) => ssrc)
    const produced: Produced = { handle: $, id: members.id as string, isData: kind === 'DataProducer', appData, at, ssrcs, mediaCodecs }
    producersLike(produced).set(produced.id, produced)
    at.produced = (at.produced ?? new Set()).add(produced)
    this.#produced.set($, produced)
  }

  /** The Producer or DataProducer of any Router of a Worker that has an id. */
  producerWith(id: string, { routers }: SpanningWorker): Produced | undefined {
    for (const { producers, dataProducers } of routers) {
      const produced = producers.get(id) ?? dataProducers.get(id)
      if (produced) return produced
    }
    return undefined
  }

  #removeProduced(produced: Produced) {
    this.#produced.delete(produced.handle)
    produced.at.produced?.delete(produced)
    const known = producersLike(produced)
    if (known.get(produced.id) === produced) known.delete(produced.id)
    this.#replicas.forget(produced)
  }

  addConsumer(handle: Handle, placed: Placed, replica: Replica | undefined) {
    this.#consumers.set(handle, placed)
    this.addUse(handle, placed, replica)
    promise(placed.part.worker)
    placed.part.worker.objects++
  }

  /** @param user the Consumer, or the Producer that is observed */
  addUse(user: Handle, placed: Placed, replica: Replica | undefined) {
    placed.uses = (placed.uses ?? new Map()).set(user, replica)
  }

  /** The pipe that a Consumer needs, if any. */
  replicaOf(consumer: Handle): Replica | undefined {
    return this.#consumers.get(consumer)?.uses?.get(consumer)
  }

  #removeConsumer(handle: Handle) {
    const placed = this.#consumers.get(handle)
    if (!placed) return
    this.#consumers.delete(handle)
    placed.part.worker.objects--
    this.releaseUse(placed, handle)
  }

  releaseUse(placed: Placed, user: Handle) {
    const replica = placed.uses?.get(user)
    placed.uses?.delete(user)
    if (replica) this.#replicas.release(replica)
  }

  *handles(): Generator<Handle> {
    for (const known of [this.placed, this.#produced, this.#consumers]) yield* known.keys()
  }

  /** A transport, Producer, Consumer, … was closed. */
  remove(handle: Handle) {
    const placed = this.placed.get(handle)
    const produced = this.#produced.get(handle)
    if (placed) this.removePlaced(placed)
    else if (produced) this.#removeProduced(produced)
    else this.#removeConsumer(handle)
  }
}

const producersLike = ({ isData, at: { part: { owner } } }: Produced) => isData ? owner.dataProducers : owner.producers
