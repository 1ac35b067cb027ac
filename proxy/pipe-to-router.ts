// pipeToRouter() between Routers on different children, as mediasoup does it within one process:
// one pair of PipeTransports for each pair of Routers, and a Consumer and a Producer for each
// Producer that crosses. It takes two round trips: what asks for nothing new is sent right behind
// what it depends on.

import { randomUUID } from 'node:crypto'
import { isIP } from 'node:net'
import type { Announcement } from '../lib/codec.ts'
import { errors } from '../lib/mediasoup.ts'
import { type Handle, encodeNotification } from '../lib/wire.ts'
import { type Consuming, PipeEnds, checkReachable } from './pipe-ends.ts'
import {
  type End,
  type PipedStream,
  type PipePair,
  type Pipes,
  type TransportEnd,
  WHOLLY,
  endAt,
  nameOf,
  newPair,
  setPaused
} from './pipes.ts'

/** What a pipe within one Router of the client does beside. */
export interface Within {
  /**
   * Sends what creates the pipe Producer.
   *
   * @param isOrdered what uses that can be sent right behind
   */
  producing<T>(send: () => Promise<T>, isOrdered: boolean): Promise<T>
  /** The pipe Producer is there: told before anything that happens to it. */
  arrived(handle: Handle): void
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

/** What crosses: the Consumer on the near end, once it is there. */
interface Crossing {
  options: Options
  within: Within | undefined
  isData: boolean
  /** It is paused with its Producer. */
  follows: boolean
  /** In the appData of its Consumer and its Producer. */
  name: string
  consumer?: Announcement
  stream?: PipedStream
}

export class Piping {
  readonly #pipes: Pipes
  readonly #ends: PipeEnds

  constructor(pipes: Pipes) {
    this.#pipes = pipes
    this.#ends = new PipeEnds(pipes)
  }

  /**
   * @param within a Router: a DataProducer is also paused on the other side, as if it were the
   * same; mediasoup's pipeToRouter() does not.
   */
  async pipeToRouter(from: End, to: End, options: Options, within?: Within): Promise<object> {
    check(options)
    const isData = options.producerId === undefined
    const follows = !isData || within !== undefined
    const name = isData && follows ? `${randomUUID()}${WHOLLY}` : randomUUID()
    const crossing: Crossing = { options, within, isData, follows, name }
    const pair = await this.#consume(from, to, crossing)
    return this.#produce(endAt(pair, to), crossing)
  }

  /** Consumes what is to cross, on the pipe that there is, or on one that is opened for it. */
  async #consume(from: End, to: End, crossing: Crossing): Promise<PipePair> {
    const key = nameOf(from, to)
    const known = this.#pipes.pairs.get(key)
    if (!known) {
      const opening = this.#open(from, to, crossing)
      this.#pipes.pairs.set(key, opening)
      opening.catch(() => this.#pipes.pairs.delete(key))
      return opening
    }
    const pair = await known.catch(ignoreNotFound)
    // What was to cross then was not there, or a Router is not, which this call finds out itself.
    if (!pair) return this.#consume(from, to, crossing)
    await this.#ends
      .consume(endAt(pair, from), this.#consumingOf(crossing), consumer =>
        this.#begin(pair, from.branch, crossing, consumer)
      )
      .catch(error => failAtSource(error, crossing))
    return pair
  }

  async #open(from: End, to: End, crossing: Crossing): Promise<PipePair> {
    const {
      producerId: _producerId,
      dataProducerId: _dataProducerId,
      keepId: _keepId,
      router: _router,
      appData: _appData,
      borrowed: _borrowed,
      ...options
    } = crossing.options
    for (const end of [from, to]) this.#pipes.addRouter(end)
    const isOurs = !options.listenInfo && !options.listenIp
    const settings = {
      enableSctp: true,
      enableRtx: true,
      enableSrtp: true,
      ...options,
      appData: this.#tagged(undefined, nameOf(from, to))
    }
    const pair = newPair()
    // With a DataConsumer SCTP begins, and nobody would hear that before the client knows the end.
    const consuming = crossing.isData ? undefined : this.#consumingOf(crossing)
    const made = await Promise.allSettled([
      this.#ends
        .open(from, settings, consuming, consumer =>
          this.#begin(pair, from.branch, crossing, consumer)
        )
        .catch(error => failAtSource(error, crossing)),
      this.#ends.open(to, settings)
    ])
    const opened = made.filter(result => result.status === 'fulfilled').map(({ value }) => value)
    let isTold = false
    const tellOpened = () => {
      isTold = true
      this.#ends.tellOpened(opened)
    }
    try {
      const failure = made.find(result => result.status === 'rejected')
      if (failure) throw failure.reason
      if (isOurs) checkReachable(opened)
      const ends = opened.map(({ end }) => end) as [TransportEnd, TransportEnd]
      this.#pipes.remember(ends, pair)
      pair.isOrdered = opened.every(({ isOrdered }) => isOrdered)
      pair.connected = this.#ends.connect(ends, isOurs)
      if (crossing.isData) await this.#consumeFirst(pair, from, crossing)
      tellOpened()
      // A name that is announced is nothing to connect to: then nothing is told of the Consumer.
      const canConnect = ends.every(({ members }) => isIP(members.tuple.localAddress))
      if (canConnect) this.#ends.tellConnected(ends)
      else await pair.connected
      this.#tellConsumer(ends[0], crossing)
      pair.connected.catch(() => pair.ended || this.#pipes.closeTransport(ends[0]))
      return pair
    } catch (error) {
      if (!isTold && !isNotFound(error)) tellOpened()
      for (const { end } of opened) this.#pipes.closeTransport(end)
      for (const end of [from, to]) this.#pipes.dropRouter(end)
      throw error
    }
  }

  /** As mediasoup, on ends that are connected: SCTP begins with it. */
  async #consumeFirst(pair: PipePair, from: End, crossing: Crossing) {
    await Promise.allSettled([pair.connected])
    await this.#ends
      .consumeUntold(endAt(pair, from), this.#consumingOf(crossing), consumer =>
        this.#begin(pair, from.branch, crossing, consumer)
      )
      .catch(error => failAtSource(error, crossing))
    await pair.connected
  }

  #consumingOf({ options: { producerId, dataProducerId }, name }: Crossing): Consuming {
    return { producerId, dataProducerId, appData: this.#tagged(undefined, name) }
  }

  #begin(pair: PipePair, branch: End['branch'], crossing: Crossing, consumer: Announcement) {
    const stream = this.#pipes.begin(pair, branch, consumer)
    stream.follows = crossing.follows
    stream.paused = crossing.follows && stream.sourcePaused
    Object.assign(crossing, { stream, consumer })
  }

  /** As it is now: until the other end was there, nobody was told what happened to it. */
  #tellConsumer(end: TransportEnd, { consumer, stream, isData }: Crossing) {
    if (stream!.ended) return
    const paused = { [isData ? 'dataProducerPaused' : 'producerPaused']: stream!.sourcePaused }
    const members = { ...consumer!.members, ...paused }
    this.#ends.tellConsumer(end, { ...consumer!, members })
  }

  async #produce(there: TransportEnd, crossing: Crossing) {
    const { isData } = crossing
    const stream = crossing.stream!
    const gone = `original ${isData ? 'DataProducer' : 'Producer'} closed`
    if (stream.ended) throw new errors.NotFoundError(gone)
    const before = stream.paused
    await Promise.all([this.#arrive(there, crossing, stream), stream.pair.connected])
    if (stream.ended) throw new errors.NotFoundError(gone)
    if (stream.paused !== before) await setPaused(stream)
    const [from, to] = [{ $: stream.from.handle }, { $: stream.to!.handle }]
    return isData
      ? { pipeDataConsumer: from, pipeDataProducer: to }
      : { pipeConsumer: from, pipeProducer: to }
  }

  async #arrive(there: TransportEnd, crossing: Crossing, stream: PipedStream) {
    const { within, isData } = crossing
    const { branch, transport } = there
    const send = () =>
      branch.rpc.callAndRead(
        result => this.#arrived(stream, there, result as Announcement, within),
        `PipeTransport.${isData ? 'produceData' : 'produce'}`,
        transport,
        this.#producingOf(crossing, stream)
      )
    try {
      await (within ? within.producing(send, stream.pair.isOrdered) : send())
    } catch (error) {
      this.#pipes.endStream(stream)
      throw error
    }
  }

  #producingOf({ options, isData, name, consumer }: Crossing, { paused }: PipedStream) {
    const { producerId, dataProducerId, keepId = true, appData, borrowed } = options
    const { kind, rtpParameters, sctpStreamParameters, label, protocol } = consumer!.members
    return {
      id: keepId ? (producerId ?? dataProducerId) : randomUUID(),
      ...(isData ? { sctpStreamParameters, label, protocol } : { kind, rtpParameters }),
      paused,
      ...(borrowed && { borrowed }),
      appData: this.#tagged(appData, name)
    }
  }

  #arrived(
    stream: PipedStream,
    { branch, transport }: TransportEnd,
    producer: Announcement,
    within?: Within
  ) {
    const event = `PipeTransport.new${producer.kind.toLowerCase()}`
    this.#pipes.tell(encodeNotification(event, [transport, null, producer]))
    this.#pipes.arrive(stream, branch, producer)
    within?.arrived(producer.$)
  }

  #tagged(appData: unknown, name: string) {
    return { ...Object(appData), [this.#pipes.tag]: name }
  }
}

/** A Router that is closed has no Producers. */
function failAtSource(error: unknown, { isData }: Crossing): never {
  if (!isNotFound(error)) throw error
  throw new errors.NotFoundError(`${isData ? 'DataProducer' : 'Producer'} not found`)
}

function ignoreNotFound(error: unknown): undefined {
  if (!isNotFound(error)) throw error
}

const isNotFound = (error: unknown) =>
  error instanceof errors.NotFoundError || error instanceof errors.WorkerClosedError

function check({ listenInfo, listenIp, producerId, dataProducerId }: Options) {
  if (listenInfo && listenIp)
    throw new TypeError('only one of listenInfo and listenIp must be given')
  if (!producerId && !dataProducerId) throw new TypeError('missing producerId or dataProducerId')
  if (producerId && dataProducerId)
    throw new TypeError('just producerId or dataProducerId can be given')
}
