// pipeToRouter() between Routers on different children, as mediasoup does it within one process: one pair of
// PipeTransports for each pair of Routers, and a Consumer and a Producer for each Producer that crosses. The objects are on
// the leaves; here is only which belongs to which.

import { randomUUID } from 'node:crypto'
import type * as ms from 'mediasoup/types'
import type { Announcement } from '../lib/codec.ts'
import { errors } from '../lib/mediasoup.ts'
import type { Frame } from '../lib/tier.ts'
import { type Handle, encodeNotification } from '../lib/wire.ts'
import type { Branch } from './session.ts'

export interface End {
  branch: Branch
  router: Handle
}

interface TransportEnd extends End {
  transport: Handle
  members: { id: string; tuple: { localAddress: string; localPort: number }; srtpParameters?: unknown }
}

interface Pair {
  ends: [TransportEnd, TransportEnd]
  legs: Set<Leg>
}

/** What carries one Producer across. */
interface Leg {
  pair: Pair
  /** Of its Consumer. */
  id: string
  from: { branch: Branch; kind: string; handle: Handle }
  to?: { branch: Branch; kind: string; handle: Handle }
  /** Whether it is paused with its Producer. */
  follows: boolean
  paused: boolean
  ended: boolean
}

/** An object that there is, and where. */
export interface Found<B extends Branch = Branch> {
  branch: B
  announcement: Announcement
}

/** What a pipe within one Router of the client does beside. */
export interface Within {
  /** Sends what creates the pipe Producer. */
  producing<T>(send: () => Promise<T>): Promise<T>
}

interface Options {
  producerId?: string
  dataProducerId?: string
  keepId?: boolean
  listenInfo?: unknown
  listenIp?: unknown
  appData?: unknown
  router?: unknown
}

// In the name of a pipe whose DataProducer is paused with the original.
const WHOLLY = ' wholly'

export class Pipes {
  readonly #tag: string
  readonly #tell: (frame: Frame) => void
  readonly #ended: (handle: Handle) => void
  readonly #pairs = new Map<string, Promise<Pair>>()
  // By the handles of transports, Routers, Consumers and Producers that are parts of them.
  readonly #pairOf = new Map<Handle, Set<Pair>>()
  readonly #legOf = new Map<Handle, Leg>()
  readonly #transports = new Set<Handle>()

  /** Ids of the transports and Consumers that are parts of pipes. */
  readonly ids = new Set<string>()

  /**
   * @param tag what the appData of their parts has beside their client's, to find them again
   * @param tell sends a frame to the client.
   * @param ended is told each pipe Producer that is gone.
   */
  constructor(tag: string, tell: (frame: Frame) => void, ended: (handle: Handle) => void = () => {}) {
    this.#tag = tag
    this.#tell = tell
    this.#ended = ended
  }

  /** @param within a Router: a DataProducer is also paused on the other side, as if it were the same; mediasoup's pipeToRouter() does not. */
  async pipeToRouter(from: End, to: End, options: Options, within?: Within): Promise<object> {
    check(options)
    const { producerId, dataProducerId } = options
    await this.#checkExists(from, producerId, dataProducerId)
    const pair = await this.#pairFor(from, to, options)
    const [here, there] = pair.ends[0].router === from.router ? pair.ends : pair.ends.toReversed() as [TransportEnd, TransportEnd]
    return producerId !== undefined ? this.#pipeProducer(pair, here, there, options, within) : this.#pipeDataProducer(pair, here, there, options, within !== undefined)
  }

  /** Whether a transport, Consumer or Producer is part of a pipe. */
  owns(handle: Handle): boolean {
    return this.#legOf.has(handle) || this.#transports.has(handle)
  }

  /** The Consumer at the other end of a pipe Producer. */
  sourceOf(handle: Handle): Handle | undefined {
    return this.#legOf.get(handle)?.from.handle
  }

  /** Ends the pipe of a Producer. */
  endLegOf(handle: Handle) {
    const leg = this.#legOf.get(handle)
    if (leg) this.#endLeg(leg)
  }

  /** An event came from a child. */
  happened({ method, handle }: { method: string; handle: Handle }) {
    const leg = this.#legOf.get(handle)
    if (leg?.from.handle === handle && leg.follows) {
      if (method.endsWith('.pause')) this.#pause(leg, true)
      else if (method.endsWith('.resume')) this.#pause(leg, false)
    }
    if (/\.(producerclose|dataproducerclose|close)$/.test(method)) this.objectClosed(handle)
  }

  /** A transport, Consumer or Producer was closed, by the client or on its host: so is its counterpart. */
  objectClosed(handle: Handle) {
    const leg = this.#legOf.get(handle)
    if (leg) return this.#endLeg(leg, handle)
    for (const pair of this.#pairOf.get(handle) ?? []) this.#endPair(pair, handle)
  }

  /** A Router is gone, with its end of each pipe. */
  routerClosed(router: Handle) {
    for (const pair of this.#pairOf.get(router) ?? []) this.#endPair(pair, router)
  }

  #tagged(appData: unknown, name: string) {
    return { ...Object(appData), [this.#tag]: name }
  }

  /** Finds the pipes again in all that there is; what is left of broken ones is closed. */
  restore(found: Found[]) {
    for (const known of [this.#pairs, this.#pairOf, this.#legOf, this.#transports, this.ids]) known.clear()
    const named = Map.groupBy(found, ({ announcement }) => announcement.appData?.[this.#tag])
    named.delete(undefined)
    for (const [name, parts] of named) if (parts[0]!.announcement.kind === 'PipeTransport') this.#restorePair(name as string, parts)
    for (const [name, parts] of named) if (parts[0]!.announcement.kind !== 'PipeTransport') this.#restoreLeg(name as string, parts)
  }

  #restorePair(name: string, parts: Found[]) {
    const ends = parts.map(({ branch, announcement: { $, of, members } }): TransportEnd =>
      ({ branch, router: of!, transport: $, members: members as TransportEnd['members'] }))
    if (ends.length !== 2) return this.#closeAll(parts)
    for (const { transport, members } of ends) {
      this.#transports.add(transport)
      this.ids.add(members.id)
    }
    this.#pairs.set(name, Promise.resolve(this.#remember(ends as [TransportEnd, TransportEnd])))
  }

  #restoreLeg(name: string, parts: Found[]) {
    const from = parts.find(({ announcement: { kind } }) => kind.endsWith('Consumer'))
    const to = parts.find(({ announcement: { kind } }) => kind.endsWith('Producer'))
    const [pair] = this.#pairOf.get(from?.announcement.of ?? '') ?? []
    if (!from || !to || !pair) return this.#closeAll(parts)
    const leg = this.#begin(pair, from.branch, from.announcement)
    leg.to = { branch: to.branch, kind: to.announcement.kind, handle: to.announcement.$ }
    leg.follows = from.announcement.kind === 'Consumer' || name.endsWith(WHOLLY)
    this.#legOf.set(to.announcement.$, leg)
    const { producerPaused, dataProducerPaused } = from.announcement.members
    const paused = Boolean(producerPaused ?? dataProducerPaused)
    leg.paused = Boolean(to.announcement.members.paused)
    if (leg.follows && leg.paused !== paused) this.#pause(leg, paused)
  }

  #closeAll(parts: Found[]) {
    for (const { branch, announcement: { kind, $ } } of parts) this.#closeObject({ branch, kind, handle: $ })
  }

  // mediasoup looks before it makes transports.
  async #checkExists({ branch, router }: End, producerId?: string, dataProducerId?: string) {
    const dump = await branch.caller.call('Router.dump', router).catch(ignoreNotFound) as ms.RouterDump
    const has = (entries: { key: string }[], id: string | undefined) => entries.some(({ key }) => key === id)
    if (producerId && !has(dump.mapProducerIdConsumerIds, producerId)) throw new errors.NotFoundError('Producer not found')
    if (dataProducerId && !has(dump.mapDataProducerIdDataConsumerIds, dataProducerId)) throw new errors.NotFoundError('DataProducer not found')
  }

  #pairFor(from: End, to: End, options: Options): Promise<Pair> {
    const key = [from.router, to.router].toSorted().join()
    let pair = this.#pairs.get(key)
    if (!pair) {
      pair = this.#connect(from, to, options)
      this.#pairs.set(key, pair)
      pair.catch(() => this.#pairs.delete(key))
    }
    return pair
  }

  async #connect(from: End, to: End, { producerId: _producerId, dataProducerId: _dataProducerId, keepId: _keepId, router: _router, appData: _appData, ...options }: Options): Promise<Pair> {
    const settings = { enableSctp: true, enableRtx: true, enableSrtp: true, ...options, appData: this.#tagged(undefined, [from.router, to.router].toSorted().join()) }
    const made = await Promise.allSettled([from, to].map(end => this.#createTransport(end, settings)))
    const ends = made.filter(result => result.status === 'fulfilled').map(({ value }) => value)
    try {
      const failure = made.find(result => result.status === 'rejected')
      if (failure) throw failure.reason
      const [one, other] = ends as [TransportEnd, TransportEnd]
      await Promise.all([this.#connectTransport(one, other), this.#connectTransport(other, one)])
      return this.#remember([one, other])
    } catch (error) {
      for (const end of ends) this.#closeObject({ ...end, kind: 'PipeTransport', handle: end.transport })
      throw error
    }
  }

  #remember(ends: [TransportEnd, TransportEnd]): Pair {
    const pair: Pair = { ends, legs: new Set() }
    for (const { router, transport } of ends) {
      this.#pairOf.set(transport, new Set([pair]))
      this.#pairOf.set(router, (this.#pairOf.get(router) ?? new Set()).add(pair))
    }
    return pair
  }

  async #createTransport({ branch, router }: End, settings: Options): Promise<TransportEnd> {
    const chosen = settings.listenInfo || settings.listenIp ? settings : { ...settings, listenInfo: await branch.caller.call('tier.pipeListenInfo', router) }
    const announcement = await branch.caller.call('Router.createPipeTransport', router, chosen) as Announcement
    this.#tell(encodeNotification('Router.newtransport', [router, null, announcement]))
    this.#transports.add(announcement.$)
    this.ids.add(announcement.members.id as string)
    return { branch, router, transport: announcement.$, members: announcement.members as TransportEnd['members'] }
  }

  async #connectTransport({ branch, transport }: TransportEnd, { members: { tuple, srtpParameters } }: TransportEnd) {
    const { live } = await branch.caller.call('PipeTransport.connect', transport, { ip: tuple.localAddress, port: tuple.localPort, srtpParameters }) as { live?: object }
    if (live) this.#tell(encodeNotification('PipeTransport.live', [transport, live]))
  }

  async #pipeProducer(pair: Pair, here: TransportEnd, there: TransportEnd, { producerId, keepId = true, appData }: Options, within?: Within) {
    const name = randomUUID()
    const consumer = await this.#create(here, 'consume', { producerId, appData: this.#tagged(undefined, name) })
    const { kind, rtpParameters, producerPaused } = consumer.members
    const leg = this.#begin(pair, here.branch, consumer)
    leg.paused = Boolean(producerPaused)
    const before = leg.paused
    await this.#arrive(leg, there, 'produce', { id: keepId ? producerId : randomUUID(), kind, rtpParameters, paused: before, appData: this.#tagged(appData, name) }, within)
    if (leg.ended) throw new errors.NotFoundError('original Producer closed')
    if (leg.paused !== before) await this.#setPaused(leg)
    return { pipeConsumer: { $: leg.from.handle }, pipeProducer: { $: leg.to!.handle } }
  }

  async #pipeDataProducer(pair: Pair, here: TransportEnd, there: TransportEnd, { dataProducerId, keepId = true, appData }: Options, wholly: boolean) {
    const name = wholly ? `${randomUUID()}${WHOLLY}` : randomUUID()
    const consumer = await this.#create(here, 'consumeData', { dataProducerId, appData: this.#tagged(undefined, name) })
    const { sctpStreamParameters, label, protocol, dataProducerPaused } = consumer.members
    const leg = this.#begin(pair, here.branch, consumer)
    leg.follows = wholly
    const before = leg.paused = wholly && Boolean(dataProducerPaused)
    await this.#arrive(leg, there, 'produceData', { id: keepId ? dataProducerId : randomUUID(), sctpStreamParameters, label, protocol, paused: before, appData: this.#tagged(appData, name) })
    if (leg.ended) throw new errors.NotFoundError('original DataProducer closed')
    if (leg.paused !== before) await this.#setPaused(leg)
    return { pipeDataConsumer: { $: leg.from.handle }, pipeDataProducer: { $: leg.to!.handle } }
  }

  async #create({ branch, transport }: TransportEnd, method: string, options: object): Promise<Announcement> {
    const announcement = await branch.caller.call(`PipeTransport.${method}`, transport, options) as Announcement
    this.#tell(encodeNotification(`PipeTransport.new${announcement.kind.toLowerCase()}`, [transport, null, announcement]))
    return announcement
  }

  #begin(pair: Pair, branch: Branch, { kind, $, members }: Announcement): Leg {
    const leg: Leg = { pair, id: members.id as string, from: { branch, kind, handle: $ }, follows: true, paused: false, ended: false }
    this.ids.add(leg.id)
    pair.legs.add(leg)
    this.#legOf.set($, leg)
    return leg
  }

  async #arrive(leg: Leg, there: TransportEnd, method: string, options: object, within?: Within) {
    const create = () => this.#create(there, method, options)
    try {
      const { kind, $ } = await (within ? within.producing(create) : create())
      leg.to = { branch: there.branch, kind, handle: $ }
      if (leg.ended) this.#closeObject(leg.to)
      else this.#legOf.set($, leg)
    } catch (error) {
      this.#endLeg(leg)
      throw error
    }
  }

  #pause(leg: Leg, paused: boolean) {
    leg.paused = paused
    // Before it has arrived, pipeToRouter() compares.
    if (leg.to) this.#setPaused(leg).catch(() => {}) // Closed in the meantime.
  }

  async #setPaused({ to, paused }: Leg) {
    await to!.branch.caller.call(`${to!.kind}.${paused ? 'pause' : 'resume'}`, to!.handle)
  }

  #endLeg(leg: Leg, closed?: Handle) {
    if (leg.ended) return
    leg.ended = true
    leg.pair.legs.delete(leg)
    this.ids.delete(leg.id)
    for (const end of [leg.from, leg.to]) {
      if (!end) continue
      this.#legOf.delete(end.handle)
      if (end.handle !== closed) this.#closeObject(end)
    }
    if (leg.to) this.#ended(leg.to.handle)
  }

  #endPair(pair: Pair, closed: Handle) {
    const [one, other] = pair.ends
    this.#pairs.delete([one.router, other.router].toSorted().join())
    for (const { branch, router, transport, members } of pair.ends) {
      this.#transports.delete(transport)
      this.ids.delete(members.id)
      this.#pairOf.delete(transport)
      this.#pairOf.get(router)?.delete(pair)
      if (transport !== closed && router !== closed) this.#closeObject({ branch, kind: 'PipeTransport', handle: transport })
    }
    for (const leg of pair.legs) {
      leg.ended = true
      this.ids.delete(leg.id)
      for (const end of [leg.from, leg.to]) if (end) this.#legOf.delete(end.handle)
      if (leg.to) this.#ended(leg.to.handle)
    }
  }

  /** Closes it on its host, and tells the client, which may know already. */
  #closeObject({ branch, kind, handle }: { branch: Branch; kind: string; handle: Handle }) {
    branch.caller.notify(`${kind}.close`, handle)
    this.#tell(encodeNotification(`${kind}.close`, [handle, null]))
  }
}

// A Router that is closed has no Producers.
function ignoreNotFound(error: unknown) {
  if (!(error instanceof errors.NotFoundError || error instanceof errors.WorkerClosedError)) throw error
  return { mapProducerIdConsumerIds: [], mapDataProducerIdDataConsumerIds: [] }
}

function check({ listenInfo, listenIp, producerId, dataProducerId }: Options) {
  if (listenInfo && listenIp) throw new TypeError('only one of listenInfo and listenIp must be given')
  if (!producerId && !dataProducerId) throw new TypeError('missing producerId or dataProducerId')
  if (producerId && dataProducerId) throw new TypeError('just producerId or dataProducerId can be given')
}
