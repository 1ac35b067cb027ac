// pipeToRouter() between Routers on different children, as mediasoup does it within one process:
// one pair of PipeTransports for each pair of Routers, and a Consumer and a Producer for each
// Producer that crosses.

import { randomUUID } from 'node:crypto'
import type * as ms from 'mediasoup/types'
import type { Announcement } from '../lib/codec.ts'
import { nodeOf } from '../lib/frame-header.ts'
import type { PipeListenInfo } from '../lib/hello.ts'
import { errors } from '../lib/mediasoup.ts'
import { encodeNotification } from '../lib/wire.ts'
import {
  type End,
  type PipedStream,
  type PipePair,
  type Pipes,
  type TransportEnd,
  WHOLLY,
  nameOf,
  setPaused
} from './pipes.ts'

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
  /** From a Router of another session: whoever borrowed it has found the Producer there. */
  borrowed?: boolean
}

const LOOPBACK = /^(127\.|::1$)/

export class Piping {
  readonly #pipes: Pipes

  constructor(pipes: Pipes) {
    this.#pipes = pipes
  }

  /**
   * @param within a Router: a DataProducer is also paused on the other side, as if it were the
   * same; mediasoup's pipeToRouter() does not.
   */
  async pipeToRouter(from: End, to: End, options: Options, within?: Within): Promise<object> {
    check(options)
    const { producerId, dataProducerId } = options
    if (!options.borrowed) await this.#checkExists(from, producerId, dataProducerId)
    const pair = await this.#pairFor(from, to, options)
    const [here, there] =
      pair.ends[0].router === from.router
        ? pair.ends
        : (pair.ends.toReversed() as [TransportEnd, TransportEnd])
    return this.#pipe(pair, here, there, options, within)
  }

  // mediasoup looks before it makes transports.
  async #checkExists({ branch, router }: End, producerId?: string, dataProducerId?: string) {
    const dump = (await branch.rpc
      .call('Router.dump', router)
      .catch(ignoreNotFound)) as ms.RouterDump
    const has = (entries: { key: string }[], id: string | undefined) =>
      entries.some(({ key }) => key === id)
    if (producerId && !has(dump.mapProducerIdConsumerIds, producerId))
      throw new errors.NotFoundError('Producer not found')
    if (dataProducerId && !has(dump.mapDataProducerIdDataConsumerIds, dataProducerId))
      throw new errors.NotFoundError('DataProducer not found')
  }

  #pairFor(from: End, to: End, options: Options): Promise<PipePair> {
    const key = nameOf(from, to)
    let pair = this.#pipes.pairs.get(key)
    if (!pair) {
      pair = this.#connect(from, to, options)
      this.#pipes.pairs.set(key, pair)
      pair.catch(() => this.#pipes.pairs.delete(key))
    }
    return pair
  }

  async #connect(
    from: End,
    to: End,
    {
      producerId: _producerId,
      dataProducerId: _dataProducerId,
      keepId: _keepId,
      router: _router,
      appData: _appData,
      borrowed: _borrowed,
      ...options
    }: Options
  ): Promise<PipePair> {
    for (const end of [from, to]) this.#pipes.addRouter(end)
    const isOurs = !options.listenInfo && !options.listenIp
    const settings = {
      enableSctp: true,
      enableRtx: true,
      enableSrtp: true,
      ...options,
      appData: this.#tagged(undefined, nameOf(from, to))
    }
    let ends: TransportEnd[] = []
    try {
      const listenInfos = isOurs ? await this.#listenInfosFor([from, to]) : []
      const made = await Promise.allSettled(
        [from, to].map((end, i) =>
          this.#createTransport(
            end,
            isOurs ? { ...settings, listenInfo: listenInfos[i] } : settings
          )
        )
      )
      ends = made.filter(result => result.status === 'fulfilled').map(({ value }) => value)
      const failure = made.find(result => result.status === 'rejected')
      if (failure) throw failure.reason
      const [one, other] = ends as [TransportEnd, TransportEnd]
      await Promise.all([
        this.#connectTransport(one, other, isOurs),
        this.#connectTransport(other, one, isOurs)
      ])
      return this.#pipes.remember([one, other])
    } catch (error) {
      for (const end of ends) this.#pipes.closeTransport(end)
      for (const end of [from, to]) this.#pipes.dropRouter(end)
      throw error
    }
  }

  /** Where the hosts of both ends take pipes; no packet would arrive at another one's loopback. */
  async #listenInfosFor(ends: [End, End]): Promise<PipeListenInfo[]> {
    const [one, other] = (await Promise.all(
      ends.map(({ branch, router }) => branch.rpc.call('tier.pipeListenInfo', router))
    )) as [PipeListenInfo, PipeListenInfo]
    const isApart = one.loopback && other.loopback && one.loopback !== other.loopback
    const hidden = [one, other].findIndex(({ ip }) => isApart && LOOPBACK.test(ip))
    if (hidden >= 0) {
      const node = nodeOf(ends[hidden]!.router)
      throw new Error(
        `the host of node ${node} takes pipes at ${[one, other][hidden]!.ip} only, which other hosts do not reach: start it with --pipe-address`
      )
    }
    return [one, other].map(({ loopback: _, ...listenInfo }) => listenInfo)
  }

  async #createTransport({ branch, router }: End, settings: Options): Promise<TransportEnd> {
    const announcement = (await branch.rpc.call(
      'Router.createPipeTransport',
      router,
      settings
    )) as Announcement
    this.#pipes.tell(encodeNotification('Router.newtransport', [router, null, announcement]))
    const end: TransportEnd = {
      branch,
      router,
      transport: announcement.$,
      members: announcement.members as unknown as TransportEnd['members']
    }
    this.#pipes.addTransport(end)
    return end
  }

  /**
   * @param isOurs the other end is where its host takes pipes: that may be an address to which the
   * host of this end lets no client send
   */
  async #connectTransport(
    { branch, transport }: TransportEnd,
    { members: { tuple, srtpParameters } }: TransportEnd,
    isOurs: boolean
  ) {
    if (isOurs) {
      const peer = { ip: tuple.localAddress, port: tuple.localPort }
      // An older leaf does not know it, and denies nothing.
      branch.rpc.call('tier.allowPeer', transport, peer).catch(() => {})
    }
    const { live } = (await branch.rpc.call('PipeTransport.connect', transport, {
      ip: tuple.localAddress,
      port: tuple.localPort,
      srtpParameters
    })) as { live?: object }
    if (live) this.#pipes.tell(encodeNotification('PipeTransport.live', [transport, live]))
  }

  async #pipe(
    pair: PipePair,
    here: TransportEnd,
    there: TransportEnd,
    { producerId, dataProducerId, keepId = true, appData, borrowed }: Options,
    within?: Within
  ) {
    const isData = producerId === undefined
    const follows = !isData || within !== undefined
    const name = isData && follows ? `${randomUUID()}${WHOLLY}` : randomUUID()
    const consumer = await this.#create(here, isData ? 'consumeData' : 'consume', {
      producerId,
      dataProducerId,
      appData: this.#tagged(undefined, name)
    })
    const { kind, rtpParameters, producerPaused, ...members } = consumer.members
    const { sctpStreamParameters, label, protocol, dataProducerPaused } = members
    const stream = this.#pipes.begin(pair, here.branch, consumer)
    stream.follows = follows
    const before = (stream.paused = follows && Boolean(producerPaused ?? dataProducerPaused))
    const options = {
      id: keepId ? (producerId ?? dataProducerId) : randomUUID(),
      ...(isData ? { sctpStreamParameters, label, protocol } : { kind, rtpParameters }),
      paused: before,
      ...(borrowed && { borrowed }),
      appData: this.#tagged(appData, name)
    }
    if (isData) await this.#arrive(stream, there, 'produceData', options)
    else await this.#arrive(stream, there, 'produce', options, within)
    if (stream.ended)
      throw new errors.NotFoundError(`original ${isData ? 'DataProducer' : 'Producer'} closed`)
    if (stream.paused !== before) await setPaused(stream)
    const [from, to] = [{ $: stream.from.handle }, { $: stream.to!.handle }]
    return isData
      ? { pipeDataConsumer: from, pipeDataProducer: to }
      : { pipeConsumer: from, pipeProducer: to }
  }

  async #create(
    { branch, transport }: TransportEnd,
    method: string,
    options: object
  ): Promise<Announcement> {
    const announcement = (await branch.rpc.call(
      `PipeTransport.${method}`,
      transport,
      options
    )) as Announcement
    this.#pipes.tell(
      encodeNotification(`PipeTransport.new${announcement.kind.toLowerCase()}`, [
        transport,
        null,
        announcement
      ])
    )
    return announcement
  }

  async #arrive(
    stream: PipedStream,
    there: TransportEnd,
    method: string,
    options: object,
    within?: Within
  ) {
    const create = () => this.#create(there, method, options)
    try {
      this.#pipes.arrive(stream, there.branch, await (within ? within.producing(create) : create()))
    } catch (error) {
      this.#pipes.endStream(stream)
      throw error
    }
  }

  #tagged(appData: unknown, name: string) {
    return { ...Object(appData), [this.#pipes.tag]: name }
  }
}

// A Router that is closed has no Producers.
function ignoreNotFound(error: unknown) {
  if (!(error instanceof errors.NotFoundError || error instanceof errors.WorkerClosedError))
    throw error
  return { mapProducerIdConsumerIds: [], mapDataProducerIdDataConsumerIds: [] }
}

function check({ listenInfo, listenIp, producerId, dataProducerId }: Options) {
  if (listenInfo && listenIp)
    throw new TypeError('only one of listenInfo and listenIp must be given')
  if (!producerId && !dataProducerId) throw new TypeError('missing producerId or dataProducerId')
  if (producerId && dataProducerId)
    throw new TypeError('just producerId or dataProducerId can be given')
}
