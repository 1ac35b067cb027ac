// Calls of transports, Producers, Consumers and RTP observers. They are those of the tier below,
// and their frames pass as they are; but what is used on another Worker than it is on is piped
// there first.

import type * as ms from 'mediasoup/types'
import type { Announcement } from '../../lib/codec.ts'
import type { Frame } from '../../lib/tier.ts'
import { type Handle, encodeResult } from '../../lib/wire.ts'
import { type CallHead, type Replies, paramsOf } from '../session.ts'
import { claimId } from './claim-id.ts'
import { ConsumerStats } from './consumer-stats.ts'
import { createdBy, errorIn, isFailure, resultOf } from './frames.ts'
import type { SessionState } from './state.ts'
import type { HostedTransport, ProducerRecord, Replica } from './types.ts'

export class ObjectCalls {
  readonly #state: SessionState
  readonly #replies: Replies
  readonly #stats: ConsumerStats
  // Ids that were asked for, and are not answered yet.
  readonly #producing = new Map<string, Promise<void>>()

  constructor(state: SessionState, replies: Replies) {
    this.#state = state
    this.#replies = replies
    this.#stats = new ConsumerStats(state.below.rpc)
  }

  call(head: CallHead, frame: Frame) {
    const { method, handle } = head
    const { below, tables } = this.#state
    const member = method.slice(method.indexOf('.') + 1)
    if (member === 'dump') return this.#dump(head, frame)
    if (method === 'Consumer.getStats') return this.#getStats(head, frame)
    if (member === 'close') tables.objects.remove(handle!)
    const transport = tables.objects.transportOf(handle!)
    if (!transport) return below.pass(head, frame)
    switch (member) {
      case 'consume':
      case 'consumeData':
      case 'addProducer':
        return this.#use(head, frame, transport)
      case 'removeProducer':
        return this.#removeProducer(head, frame, transport)
      case 'produce':
      case 'produceData':
        return this.#produce(head, frame, transport)
    }
    below.pass(head, frame)
  }

  /** A Consumer of a piped Producer says of it what one of the original would. */
  #dump(head: CallHead, frame: Frame) {
    const { id, handle } = head
    const { below, tables } = this.#state
    const { ssrcs } = tables.objects.replicaOf(handle!)?.of ?? {}
    if (!ssrcs || id == null) return below.pass(head, frame)
    below.pass(head, frame, answer => {
      const dump = resultOf(answer) as ms.ConsumerDump | undefined
      if (!dump) return answer
      const consumableRtpEncodings = dump.consumableRtpEncodings?.map((encoding, i) => ({
        ...encoding,
        ssrc: ssrcs[i] ?? encoding.ssrc
      }))
      return encodeResult(id, { ...dump, consumableRtpEncodings })
    })
  }

  #getStats(head: CallHead, frame: Frame) {
    const { id, handle } = head
    const replica = this.#state.tables.objects.replicaOf(handle!)
    if (!replica || id == null) return this.#state.below.pass(head, frame)
    this.#replies.settle(id, this.#stats.of(handle!, replica))
  }

  #produce(head: CallHead, frame: Frame, transport: HostedTransport) {
    const { id } = head
    if (id == null) return this.#state.below.pass(head, frame)
    const { id: wanted } = optionsOf(frame)
    const settled = this.#expect(transport, wanted)
    const rival = this.#producing.get(wanted!)
    if (!rival && !this.#elsewhere(wanted, transport))
      return this.#passProduce(head, frame, transport, wanted, settled)
    Promise.resolve(rival)
      .then(() => this.#elsewhere(wanted, transport))
      .then(known => known && claimId(this.#state, known, transport.part.worker))
      .then(
        () => this.#passProduce(head, frame, transport, wanted, settled),
        error => {
          settled?.(error)
          this.#replies.fail(id, error)
        }
      )
  }

  /**
   * A pipe from elsewhere brings a Producer. What is returned is told that it is there, or why it
   * is not.
   */
  #expect({ kind, part }: HostedTransport, id: string | undefined) {
    const { arriving } = part.owner
    if (kind !== 'PipeTransport' || id === undefined || arriving.has(id)) return undefined
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    promise.catch(() => {}) // Whoever waits for it hears of it.
    arriving.set(id, promise)
    return (error?: Error) => {
      arriving.delete(id)
      if (error) reject(error)
      else resolve()
    }
  }

  /** A Producer of an id that one Worker would have, and the one that a transport is on has not. */
  #elsewhere(
    id: string | undefined,
    { part: { owner, worker } }: HostedTransport
  ): ProducerRecord | undefined {
    const known =
      id === undefined ? undefined : this.#state.tables.objects.producerWith(id, owner.worker)
    return known?.at.part.worker === worker ? undefined : known
  }

  #passProduce(
    head: CallHead,
    frame: Frame,
    transport: HostedTransport,
    wanted: string | undefined,
    settled: ((error?: Error) => void) | undefined
  ) {
    const { below, tables } = this.#state
    const { mediaCodecs } = transport.part.owner
    const { promise, resolve } = Promise.withResolvers<void>()
    if (wanted !== undefined) this.#producing.set(wanted, promise)
    below.pass(head, frame, answer => {
      const announcement = resultOf(answer) as Announcement | undefined
      if (announcement?.members) tables.objects.addProducer(transport, announcement, mediaCodecs)
      if (this.#producing.get(wanted!) === promise) this.#producing.delete(wanted!)
      resolve()
      settled?.(errorIn(answer))
      return answer
    })
  }

  /** A Producer is used on a Worker: where it is not, it is piped first. */
  #use(head: CallHead, frame: Frame, transport: HostedTransport) {
    const { id, method } = head
    const { replicas } = this.#state
    const { producerId, dataProducerId } = optionsOf(frame)
    const { producers, dataProducers, arriving } = transport.part.owner
    const record = method.endsWith('.consumeData')
      ? dataProducers.get(dataProducerId!)
      : producers.get(producerId!)
    const expected = record ? undefined : arriving.get((producerId ?? dataProducerId)!)
    if (expected)
      return void expected.then(
        () => this.#use(head, frame, transport),
        error => this.#replies.fail(id, error)
      )
    const observed = method.endsWith('.addProducer') ? record?.handle : undefined
    if (!record || record.at.part === transport.part)
      return this.#passUse(head, frame, transport, observed, undefined)
    const replica = replicas.hold(record, transport.part)
    replica.usable.then(
      () => this.#passUse(head, frame, transport, observed, replica),
      error => {
        replicas.release(replica)
        this.#replies.fail(id, error)
      }
    )
  }

  /**
   * @param observed the Producer that an RTP observer is to observe; undefined for what is consumed
   */
  #passUse(
    head: CallHead,
    frame: Frame,
    transport: HostedTransport,
    observed: Handle | undefined,
    replica: Replica | undefined
  ) {
    const { below, replicas, tables } = this.#state
    below.pass(head, frame, answer => {
      const user =
        observed === undefined ? createdBy(answer) : isFailure(answer) ? undefined : observed
      if (user === undefined || transport.uses?.has(user)) {
        if (replica) replicas.release(replica)
      } else if (observed === undefined) {
        tables.objects.addConsumer(user, transport, replica)
      } else {
        tables.objects.addUse(user, transport, replica)
      }
      return answer
    })
  }

  #removeProducer(head: CallHead, frame: Frame, transport: HostedTransport) {
    const { id } = head
    const { below, replicas, tables } = this.#state
    const record = transport.part.owner.producers.get(optionsOf(frame).producerId!)
    if (!record || id == null) return below.pass(head, frame)
    // When it was not added, which mediasoup does not mind, it has to be there all the same.
    const isAdded = record.at.part === transport.part || transport.uses?.has(record.handle)
    const replica = isAdded
      ? transport.uses?.get(record.handle)
      : replicas.hold(record, transport.part)
    const release = () => {
      if (isAdded) tables.objects.releaseUse(transport, record.handle)
      else replicas.release(replica!)
    }
    // Until then, its event has to be given the name of the original.
    const pass = () =>
      below.pass(head, frame, answer => {
        release()
        return answer
      })
    if (!replica) return pass()
    replica.ready.then(pass, error => {
      release()
      this.#replies.fail(id, error)
    })
  }

  happened(head: CallHead, frame: Frame) {
    const { method, handle } = head
    const { replicas, tables } = this.#state
    const { objects } = tables
    if (/\.new(data)?producer$/.test(method)) {
      const transport = objects.transports.get(handle!)
      if (transport) objects.addProducer(transport, paramsOf(frame)[2] as Announcement)
    } else if (method.endsWith('close')) {
      objects.remove(handle!)
    }
    this.#replies.tell(/^[^.]*Observer\./.test(method) ? replicas.named(frame) : frame, head)
  }
}

/** The options of a call: what they are, mediasoup says. */
const optionsOf = (frame: Frame) =>
  Object(paramsOf(frame)[1]) as { id?: string; producerId?: string; dataProducerId?: string }
