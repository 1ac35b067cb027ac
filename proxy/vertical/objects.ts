// Transports and RTP observers of the client, and the Producers and Consumers on them: on which
// Worker they are, and who uses what there. Nothing here sends anything.

import type * as ms from 'mediasoup/types'
import type { Announcement } from '../../lib/codec.ts'
import { kinds } from '../../lib/methods.ts'
import type { Handle } from '../../lib/wire.ts'
import type { RecentlyClosed } from './recently-closed.ts'
import type { Replicas } from './replicas.ts'
import type {
  AggregateWorker,
  HostedTransport,
  ProducerRecord,
  Replica,
  RouterPart,
  WorkerPart
} from './types.ts'

export class Objects {
  readonly transports = new Map<Handle, HostedTransport>()
  readonly #producers = new Map<Handle, ProducerRecord>()
  readonly #consumers = new Map<Handle, HostedTransport>()
  readonly #replicas: Replicas
  readonly #closed: RecentlyClosed
  readonly #onVacated: (worker: WorkerPart) => void

  /** @param onVacated is told when a Worker below carries less than before */
  constructor(replicas: Replicas, closed: RecentlyClosed, onVacated: (worker: WorkerPart) => void) {
    this.#replicas = replicas
    this.#closed = closed
    this.#onVacated = onVacated
  }

  addTransport(part: RouterPart, handle: Handle, kind: string) {
    // An event may have announced it already, or its Router was closed meanwhile.
    if (this.transports.has(handle) || part.state === 'gone') return
    // One string for all of a kind.
    const transport: HostedTransport = { handle, kind: kinds.get(kind)?.kind ?? kind, part }
    part.transports.add(transport)
    part.worker.load.objects++
    this.transports.set(handle, transport)
  }

  /** Where a transport or an RTP observer is, or was a moment ago. */
  transportOf(handle: Handle): HostedTransport | undefined {
    return this.transports.get(handle) ?? this.#closed.get('transport', handle)
  }

  removeTransport(transport: HostedTransport) {
    if (!this.transports.delete(transport.handle)) return
    const { part, producers = [], uses } = transport
    this.#closed.add('transport', transport)
    part.transports.delete(transport)
    part.worker.load.objects--
    for (const producer of producers) this.#removeProducer(producer)
    for (const user of uses?.keys() ?? []) {
      this.#removeConsumer(user)
      this.releaseUse(transport, user) // A Producer that it observed.
    }
    if (!part.count) this.#onVacated(part.worker)
  }

  addProducer(
    at: HostedTransport,
    { $, kind, members, appData }: Announcement,
    mediaCodecs = at.part.owner.mediaCodecs
  ) {
    if (!this.#isOpen(at)) return
    const { encodings } = (members.consumableRtpParameters as ms.RtpParameters | undefined) ?? {}
    const ssrcs = encodings?.map(({ ssrc }) => ssrc)
    const producer: ProducerRecord = {
      handle: $,
      id: members.id as string,
      isData: kind === 'DataProducer',
      appData,
      at,
      ssrcs,
      mediaCodecs
    }
    producersLike(producer).set(producer.id, producer)
    at.producers = (at.producers ?? new Set()).add(producer)
    this.#producers.set($, producer)
  }

  /** The Producer or DataProducer of any Router of a Worker that has an id. */
  producerWith(id: string, { routers }: AggregateWorker): ProducerRecord | undefined {
    for (const { producers, dataProducers } of routers) {
      const producer = producers.get(id) ?? dataProducers.get(id)
      if (producer) return producer
    }
    return undefined
  }

  #removeProducer(producer: ProducerRecord) {
    this.#producers.delete(producer.handle)
    producer.at.producers?.delete(producer)
    const known = producersLike(producer)
    if (known.get(producer.id) === producer) known.delete(producer.id)
    this.#replicas.forget(producer)
  }

  addConsumer(handle: Handle, transport: HostedTransport, replica: Replica | undefined) {
    this.addUse(handle, transport, replica)
    if (!this.#isOpen(transport)) return
    this.#consumers.set(handle, transport)
    transport.part.worker.load.promise()
    transport.part.worker.load.objects++
  }

  /**
   * @param user the Consumer, or the Producer that is observed
   * @param replica is held, and given back with the use
   */
  addUse(user: Handle, transport: HostedTransport, replica: Replica | undefined) {
    if (this.#isOpen(transport)) transport.uses = (transport.uses ?? new Map()).set(user, replica)
    else if (replica) this.#replicas.release(replica) // It was closed while it was asked.
  }

  /** The pipe that a Consumer needs, if any. */
  replicaOf(consumer: Handle): Replica | undefined {
    return this.#consumers.get(consumer)?.uses?.get(consumer)
  }

  #removeConsumer(handle: Handle) {
    const transport = this.#consumers.get(handle)
    if (!transport) return
    this.#consumers.delete(handle)
    transport.part.worker.load.objects--
    this.releaseUse(transport, handle)
  }

  releaseUse(transport: HostedTransport, user: Handle) {
    const replica = transport.uses?.get(user)
    transport.uses?.delete(user)
    if (replica) this.#replicas.release(replica)
  }

  *handles(): Generator<Handle> {
    for (const known of [this.transports, this.#producers, this.#consumers]) yield* known.keys()
  }

  /** A transport, Producer, Consumer, … was closed. */
  remove(handle: Handle) {
    const transport = this.transports.get(handle)
    const producer = this.#producers.get(handle)
    if (transport) this.removeTransport(transport)
    else if (producer) this.#removeProducer(producer)
    else this.#removeConsumer(handle)
  }

  #isOpen({ handle }: HostedTransport) {
    return this.transports.has(handle)
  }
}

const producersLike = ({
  isData,
  at: {
    part: { owner }
  }
}: ProducerRecord) => (isData ? owner.dataProducers : owner.producers)
