// A Producer on further Workers than its own: piped on demand, once per Producer and Worker, and
// until a little after its last user there is gone.

import { errors } from '../../lib/mediasoup.ts'
import { nodeOf } from '../../lib/frame-header.ts'
import type { Location } from '../../lib/hello.ts'
import type { Frame } from '../../lib/tier.ts'
import type { Handle } from '../../lib/wire.ts'
import type { Pipes } from '../pipes.ts'
import { Piping } from '../pipe-to-router.ts'
import type { ChildSession } from '../session.ts'
import { BETWEEN_HOSTS, WITHIN_A_HOST } from './pipe-settings.ts'
import type { Part } from './parts.ts'
import type { ProducerRecord, Replica, RouterPart } from './types.ts'

export class Replicas {
  readonly #pipes: Pipes
  readonly #piping: Piping
  readonly #branch: ChildSession
  readonly #linger: number
  // By their pipe Producers.
  readonly #replicas = new Map<Handle, Replica>()
  // Without users, until they are dropped.
  readonly #waiting = new Set<Replica>()
  // By nodes: whether one is a host, and no region.
  readonly #hosts = new Map<string, Promise<boolean>>()
  readonly #sources: { replica: Replica; source: RouterPart }[] = []

  constructor(pipes: Pipes, branch: ChildSession, linger: number) {
    this.#pipes = pipes
    this.#piping = new Piping(pipes)
    this.#branch = branch
    this.#linger = linger
  }

  /** The Producer on a Worker, for one more user. */
  hold(producer: ProducerRecord, part: RouterPart): Replica {
    const replica = producer.replicas?.get(part) ?? this.#make(producer, part)
    replica.users++
    this.#waiting.delete(replica)
    clearTimeout(replica.timer)
    return replica
  }

  release(replica: Replica) {
    if (--replica.users > 0 || replica.of.replicas?.get(replica.part) !== replica) return
    replica.timer = setTimeout(() => replica.drop(), this.#linger).unref()
    this.#waiting.add(replica)
  }

  /** Whether other Workers of its host are fed through a Router's part. */
  isGateway(part: RouterPart): boolean {
    const { producers, dataProducers } = part.owner
    return [...producers.values(), ...dataProducers.values()].some(
      ({ replicas }) => replicas?.get(part)?.users
    )
  }

  /** The Producer is gone: its id is free, on all Workers. */
  forget(producer: ProducerRecord) {
    for (const replica of [...(producer.replicas?.values() ?? [])]) replica.drop()
  }

  /**
   * A pipe Producer is gone, perhaps with the Worker through which it came: the next user gets
   * another one.
   */
  ended(handle: Handle) {
    this.#replicas.get(handle)?.drop()
  }

  /** In what RTP observers tell, the original Producers. */
  named(frame: Frame): Frame {
    if (typeof frame !== 'string' || !frame.includes('{"$":"')) return frame
    return frame.replace(/\{"\$":"([^"]+)"\}/g, (reference, handle) => {
      const replica = this.#replicas.get(handle)
      return replica ? `{"$":"${replica.of.handle}"}` : reference
    })
  }

  /** One that is there already; it is kept for its users, who follow. */
  add(handle: Handle, producer: ProducerRecord, part: RouterPart, source: RouterPart) {
    const replica = this.#remember(producer, part, Promise.resolve(handle))
    replica.handle = handle
    this.#replicas.set(handle, replica)
    this.#sources.push({ replica, source })
    replica.users++
    this.release(replica)
  }

  /** Through which other Worker of the host each comes that is there already. */
  findGateways() {
    for (const { replica, source } of this.#sources.splice(0)) {
      const { of: producer } = replica
      if (source !== producer.at.part && producer.replicas?.has(source))
        replica.gateway = this.hold(producer, source)
    }
  }

  end() {
    for (const { timer } of this.#waiting) clearTimeout(timer)
  }

  #make(producer: ProducerRecord, part: RouterPart): Replica {
    // In a turn of its own: the replica has its place among the others first.
    const replica: Replica = this.#remember(
      producer,
      part,
      Promise.resolve().then(() => this.#pipe(replica, part))
    )
    replica.ready.catch(replica.drop)
    return replica
  }

  /** Its pipe Producer is there, perhaps too late. */
  #arrived(replica: Replica, handle: Handle) {
    if (replica.of.replicas?.get(replica.part) !== replica) return this.#pipes.endStreamOf(handle)
    replica.handle = handle
    this.#replicas.set(handle, replica)
    if (!this.#pipes.owns(handle)) replica.drop() // It ended before we knew it.
  }

  #remember(producer: ProducerRecord, part: RouterPart, ready: Promise<Handle>): Replica {
    const { promise: sent, resolve: setSent } = Promise.withResolvers<void>()
    const usable = Promise.race([sent, ready.then(() => {})])
    usable.catch(() => {}) // Whoever waits for it hears of it.
    const replica: Replica = {
      of: producer,
      part,
      users: 0,
      ready,
      usable,
      setSent,
      drop: () => {
        if (producer.replicas?.get(part) !== replica) return
        producer.replicas.delete(part)
        this.#waiting.delete(replica)
        clearTimeout(replica.timer)
        if (replica.gateway) this.release(replica.gateway)
        if (replica.handle === undefined) return
        this.#replicas.delete(replica.handle)
        this.#pipes.endStreamOf(replica.handle)
      }
    }
    producer.replicas = (producer.replicas ?? new Map()).set(part, replica)
    return replica
  }

  async #pipe(replica: Replica, part: RouterPart): Promise<Handle> {
    const { of: producer } = replica
    const source = await this.#sourceFor(replica, part)
    const isWithin = nodeOf(source.handle) === nodeOf(part.handle) && (await this.#isOnHost(part))
    const options = {
      ...(producer.isData ? { dataProducerId: producer.id } : { producerId: producer.id }),
      appData: producer.appData,
      ...(isWithin ? WITHIN_A_HOST : BETWEEN_HOSTS)
    }
    const ends = [source, part].map(({ handle }) => ({ branch: this.#branch, router: handle }))
    try {
      const made = (await this.#piping.pipeToRouter(ends[0]!, ends[1]!, options, {
        producing: (send, isOrdered) => {
          const answer = this.#withCodecsOf(producer, part, send)
          if (isOrdered) replica.setSent()
          return answer
        },
        arrived: handle => this.#arrived(replica, handle)
      })) as { pipeProducer?: { $: Handle }; pipeDataProducer?: { $: Handle } }
      return (made.pipeProducer ?? made.pipeDataProducer)!.$
    } catch (error) {
      if (await this.#hasLostGateway(replica)) {
        this.#leaveGateway(replica)
        return this.#pipe(replica, part)
      }
      if (!(error instanceof errors.NotFoundError)) throw error
      throw new errors.NotFoundError(
        `${producer.isData ? 'DataProducer' : 'Producer'} with id "${producer.id}" not found`
      )
    }
  }

  /**
   * The Router may have got other codecs since the Producer was made, which keeps those that it
   * has.
   */
  #withCodecsOf<T>(
    { mediaCodecs }: ProducerRecord,
    { handle, owner }: RouterPart,
    send: () => Promise<T>
  ): Promise<T> {
    if (mediaCodecs === owner.mediaCodecs) return send()
    const { rpc: caller } = this.#branch
    caller.notify('Router.updateMediaCodecs', handle, mediaCodecs)
    const answer = send()
    caller.notify('Router.updateMediaCodecs', handle, owner.mediaCodecs)
    return answer
  }

  /** From where it is piped. */
  async #sourceFor(replica: Replica, part: RouterPart): Promise<RouterPart> {
    const { of: producer } = replica
    const gateway = gatewayFor(producer, part)
    if (!gateway) return producer.at.part
    const there = (replica.gateway = this.hold(producer, gateway))
    try {
      await there.usable
      return gateway
    } catch {
      this.#leaveGateway(replica)
      return this.#sourceFor(replica, part)
    }
  }

  /** It is gone, perhaps with its Worker. */
  #leaveGateway(replica: Replica) {
    const { gateway } = replica
    replica.gateway = undefined
    if (gateway) this.release(gateway)
  }

  /** The Producer was still on its way to it. */
  async #hasLostGateway({ gateway }: Replica): Promise<boolean> {
    if (!gateway) return false
    return gateway.ready.then(
      () => false,
      () => true
    )
  }

  /**
   * Asks about the host of a part before somebody waits for it: whether its Workers are on one, or
   * its tier spans hosts itself.
   */
  locate(part: Part<unknown>) {
    this.#isOnHost(part).catch(() => {}) // It is asked again.
  }

  #isOnHost({ handle }: Part<unknown>): Promise<boolean> {
    const node = nodeOf(handle)
    let known = this.#hosts.get(node)
    if (!known) {
      known = this.#branch.rpc
        .call('tier.locate', handle)
        .then(location => (location as Location).node === node)
      this.#hosts.set(node, known)
      known.catch(() => this.#hosts.delete(node))
    }
    return known
  }
}

/**
 * Where the Producer already is, or is before us on its way to, on the same host or in the same
 * region: between these it crosses once.
 */
function gatewayFor({ at, replicas }: ProducerRecord, part: RouterPart): RouterPart | undefined {
  const node = nodeOf(part.handle)
  if (nodeOf(at.part.handle) === node) return undefined
  for (const other of replicas?.keys() ?? []) {
    if (other === part) return undefined
    if (other.state === 'ready' && nodeOf(other.handle) === node) return other
  }
  return undefined
}
