// The classes of mediasoup's objects on the client. Their members come from the model. Written by
// hand are only the members that mediasoup answers without its worker.

import type * as ms from 'mediasoup/types'
import { ortc } from '../lib/mediasoup.ts'
import { type ObjectKind, kinds } from '../lib/methods.ts'
import type { model } from '../lib/model.ts'
import { Entity } from './entity.ts'

// A member of Entity must not hide one of mediasoup's: the type checker names the member if it
// does.
type OfMediasoup = { [K in ObjectKind]: keyof (typeof model)[K]['members'] }[ObjectKind]
type Hidden = Extract<keyof Entity, OfMediasoup>
true satisfies [Hidden] extends [never] ? true : Hidden

type EntityClass = {
  new (...args: ConstructorParameters<typeof Entity>): Entity
  prototype: Entity
}

/** A class with the kind's getters and methods. */
function classOf(kind: ObjectKind, base: EntityClass = Entity): EntityClass {
  const type = class extends base {}
  const row = kinds.get(kind)!
  const { fixed, live, methods } = row
  Object.defineProperty(type.prototype, 'row', { value: row })
  for (const name of [...fixed, ...live])
    Object.defineProperty(type.prototype, name, { get: getter(name), configurable: true })
  for (const [name, role] of methods) {
    if (role === 'close') continue
    const value = role === 'cast' || role === 'media' ? caster(name) : caller(name)
    Object.defineProperty(type.prototype, name, { value, configurable: true, writable: true })
  }
  return type
}

// Objects are answered as copies, as mediasoup does.
function getter(name: string) {
  return function get(this: { members: Record<string, unknown> }) {
    const value = this.members[name]
    return typeof value === 'object' ? structuredClone(value) : value
  }
}

function caller(name: string) {
  return {
    [name](this: Entity, ...args: unknown[]) {
      return this.call(name, args)
    }
  }[name]
}

function caster(name: string) {
  return {
    [name](this: Entity, ...args: unknown[]) {
      this.cast(name, args)
    }
  }[name]
}

class WorkerImpl extends classOf('Worker') {
  /** Nothing of it will be told any more. */
  get isGone() {
    return this.members.subprocessClosed === true
  }

  /** The connection to its host is lost, or the worker died. */
  die(error: Error) {
    if (!this.closed) return this.end('died', error)
    if (this.members.subprocessClosed) return
    this.members.subprocessClosed = true
    this.safeEmit('subprocessclose')
  }

  protected override emitEnd(event: string, args: unknown[]) {
    this.members.died = this.members.subprocessClosed = true
    super.emitEnd(event, args)
    super.emitEnd('subprocessclose', [])
  }
}

class WebRtcServerImpl extends classOf('WebRtcServer') {
  readonly #transports = new Set<Entity>()

  override receive(event: string, args: unknown[]) {
    const [transport] = args
    if (event === 'webrtctransporthandled' && transport instanceof WebRtcTransportImpl) {
      this.#transports.add(transport)
      transport.server = this
    }
    super.receive(event, args)
  }

  protected override detached(because?: string) {
    // If its Worker closed it, the Routers of its transports end these.
    if (because) return
    for (const transport of this.#transports) {
      transport.end('listenserverclose')
      this.observer.safeEmit('webrtctransportunhandled', transport)
    }
  }

  /** A transport was closed, and not with its Router. */
  unhandle(transport: Entity) {
    if (this.#transports.delete(transport))
      this.observer.safeEmit('webrtctransportunhandled', transport)
  }
}

class RouterImpl extends classOf('Router') {
  readonly producers = new Map<string, Entity>()
  readonly dataProducers = new Map<string, Entity>()

  canConsume({
    producerId,
    rtpCapabilities
  }: {
    producerId: string
    rtpCapabilities: ms.RtpCapabilities
  }): boolean {
    const { consumableRtpParameters } =
      (this.producers.get(producerId) as unknown as ms.Producer | undefined) ??
      this.session.found.get(producerId) ??
      {}
    if (!consumableRtpParameters) {
      this.session.logger.error(
        'Router',
        `canConsume() | Producer with id "${producerId}" not found`
      )
      return false
    }
    try {
      return ortc.canConsume(consumableRtpParameters, structuredClone(rtpCapabilities))
    } catch (error) {
      this.session.logger.error('Router', `canConsume() | unexpected error: ${error}`)
      return false
    }
  }

  async pipeToRouter(options: ms.PipeToRouterOptions) {
    // A pipe between hosts is made by a proxy, which gives the pipe Producer this appData.
    const original =
      this.producers.get(options?.producerId!) ?? this.dataProducers.get(options?.dataProducerId!)
    const piping = this.call('pipeToRouter', [
      original ? { ...options, appData: { token: original.appDataToken } } : options
    ])
    // Also when it failed: the transports may have been made, and later Producers use them.
    const result = (await piping.finally(() => this.#pairTransports(options?.router))) as Record<
      keyof ms.PipeToRouterResult,
      Entity | undefined
    >
    const consumer = result.pipeConsumer ?? result.pipeDataConsumer
    const producer = result.pipeProducer ?? result.pipeDataProducer
    if (consumer && producer) consumer.linkPeer(producer)
    return result
  }

  /** Finds the two ends of a pipe: each has the address of the other. */
  #pairTransports(router: unknown) {
    if (!(router instanceof RouterImpl)) return
    for (const one of this.pipes()) {
      for (const other of router.pipes()) if (mirrors(one, other)) one.linkPeer(other)
    }
  }

  /** The PipeTransports of pipeToRouter(). Those that the application made itself have a token. */
  *pipes() {
    for (const transport of this.children('newtransport')) {
      if (transport instanceof PipeTransportImpl && transport.token === undefined) yield transport
    }
  }

  updateMediaCodecs(mediaCodecs: ms.RouterRtpCodecCapability[]) {
    this.members.rtpCapabilities = ortc.generateRouterRtpCapabilities(structuredClone(mediaCodecs))
    if (!this.closed) this.cast('updateMediaCodecs', [mediaCodecs])
  }
}

class TransportImpl extends Entity {
  override get eventPrefix() {
    return 'transport'
  }

  protected override freezeStates() {
    for (const state of ['iceState', 'dtlsState', 'sctpState']) {
      if (this.members[state]) this.members[state] = 'closed'
    }
    this.members.iceSelectedTuple = undefined
  }
}

class WebRtcTransportImpl extends classOf('WebRtcTransport', TransportImpl) {
  server: WebRtcServerImpl | undefined

  protected override detached(because?: string) {
    if (!because) this.server?.unhandle(this)
  }
}

class PipeTransportImpl extends classOf('PipeTransport', TransportImpl) {
  get address() {
    return this.members.tuple as ms.TransportTuple
  }
}

const mirrors = ({ address: one }: PipeTransportImpl, { address: other }: PipeTransportImpl) =>
  one.remotePort === other.localPort &&
  other.remotePort === one.localPort &&
  one.remoteIp === other.localAddress &&
  other.remoteIp === one.localAddress

class DirectTransportImpl extends classOf('DirectTransport', TransportImpl) {
  sendRtcp(rtcpPacket: Buffer) {
    if (!Buffer.isBuffer(rtcpPacket)) throw new TypeError('rtcpPacket must be a Buffer')
    this.cast('sendRtcp', [rtcpPacket])
  }
}

/** What its Router knows by its id. */
class Produced extends Entity {
  get #siblings() {
    const { producers, dataProducers } = this.parent?.parent as RouterImpl
    return this.row.kind === 'Producer' ? producers : dataProducers
  }

  protected override attached() {
    this.#siblings.set(this.members.id as string, this)
  }

  // pipeToRouter() keeps ids, so another Producer may have this one by now.
  protected override detached() {
    const id = this.members.id as string
    if (this.#siblings.get(id) === this) this.#siblings.delete(id)
  }
}

class ProducerImpl extends classOf('Producer', Produced) {
  send(rtpPacket: Buffer) {
    if (!Buffer.isBuffer(rtpPacket)) throw new TypeError('rtpPacket must be a Buffer')
    this.cast('send', [rtpPacket])
  }
}

class DataProducerImpl extends classOf('DataProducer', Produced) {
  send(message: string | Buffer, ...options: unknown[]) {
    if (typeof message !== 'string' && !Buffer.isBuffer(message))
      throw new TypeError('message must be a string or a Buffer')
    this.cast('send', [message, ...options])
  }
}

/** The class of each kind. */
export const classes: Record<ObjectKind, EntityClass> = {
  Worker: WorkerImpl,
  Router: RouterImpl,
  WebRtcServer: WebRtcServerImpl,
  WebRtcTransport: WebRtcTransportImpl,
  PlainTransport: classOf('PlainTransport', TransportImpl),
  PipeTransport: PipeTransportImpl,
  DirectTransport: DirectTransportImpl,
  Producer: ProducerImpl,
  Consumer: classOf('Consumer'),
  DataProducer: DataProducerImpl,
  DataConsumer: classOf('DataConsumer'),
  ActiveSpeakerObserver: classOf('ActiveSpeakerObserver'),
  AudioLevelObserver: classOf('AudioLevelObserver')
}

// They are called as mediasoup calls them, whatever a bundler has made of the names above.
for (const [kind, type] of Object.entries(classes))
  Object.defineProperty(type, 'name', { value: `${kind}Impl` })

export { WorkerImpl }
