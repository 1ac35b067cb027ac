// The ends of a pipe between Routers on different children: how one is opened, with the Consumer of
// what is to cross, and how it is connected to the other one.

import type { Announcement } from '../lib/codec.ts'
import { ProtocolError, codes } from '../lib/errors.ts'
import { nodeOf } from '../lib/frame-header.ts'
import type { PipeListenInfo } from '../lib/hello.ts'
import { encodeNotification } from '../lib/wire.ts'
import type { End, Pipes, TransportEnd } from './pipes.ts'

/** What is to cross: options of consume() or consumeData(). */
export interface Consuming {
  producerId?: string
  dataProducerId?: string
  appData: object
}

/** Is told the Consumer, before anything that happens to it. */
export type OnConsumer = (consumer: Announcement) => void

export interface OpenedEnd {
  end: TransportEnd
  announcement: Announcement
  /** Names what has the same loopback addresses. */
  loopback?: string
  /** See PipePair. */
  isOrdered: boolean
}

/** The answer to tier.openPipe. */
type Opened = Announcement & { consumer?: Announcement; loopback?: string }

const LOOPBACK = /^(127\.|::1$)/

export class PipeEnds {
  readonly #pipes: Pipes

  constructor(pipes: Pipes) {
    this.#pipes = pipes
  }

  open(at: End, settings: object, consuming?: Consuming, onConsumer?: OnConsumer) {
    const params = consuming ? [at.router, settings, consuming] : [at.router, settings]
    return at.branch.rpc
      .callAndRead(
        result => this.#opened(at, result as Opened, onConsumer),
        'tier.openPipe',
        ...params
      )
      .catch(error => {
        if (!(error instanceof ProtocolError) || error.code !== codes.method) throw error
        return this.#openByHand(at, settings, consuming, onConsumer)
      })
  }

  #opened(
    { branch, router }: End,
    { consumer, loopback, ...announcement }: Opened,
    onConsumer?: OnConsumer
  ): OpenedEnd {
    const members = announcement.members as unknown as TransportEnd['members']
    const end: TransportEnd = { branch, router, transport: announcement.$, members }
    this.#pipes.addNewTransport(end)
    if (consumer) onConsumer?.(consumer)
    return { end, announcement, loopback, isOrdered: true }
  }

  /** An older leaf does not know tier.openPipe. */
  async #openByHand(
    at: End,
    settings: { listenInfo?: unknown; listenIp?: unknown },
    consuming?: Consuming,
    onConsumer?: OnConsumer
  ): Promise<OpenedEnd> {
    const { rpc } = at.branch
    const { loopback, ...listenInfo } = (await rpc.call(
      'tier.pipeListenInfo',
      at.router
    )) as PipeListenInfo
    const isGiven = settings.listenInfo || settings.listenIp
    const options = isGiven ? settings : { ...settings, listenInfo }
    const opened = await rpc.callAndRead(
      result => this.#opened(at, result as Opened),
      'Router.createPipeTransport',
      at.router,
      options
    )
    try {
      if (consuming) await this.consumeUntold(opened.end, consuming, onConsumer)
    } catch (error) {
      this.#pipes.closeTransport(opened.end)
      throw error
    }
    return { ...opened, loopback, isOrdered: false }
  }

  /** What crosses on a pipe that is there. */
  consume(end: TransportEnd, consuming: Consuming, onConsumer: OnConsumer): Promise<void> {
    return this.consumeUntold(end, consuming, consumer => {
      this.tellConsumer(end, consumer)
      onConsumer(consumer)
    })
  }

  /** The same, and the client is not told yet. */
  async consumeUntold(end: TransportEnd, consuming: Consuming, onConsumer?: OnConsumer) {
    const isData = consuming.producerId === undefined
    const method = `PipeTransport.${isData ? 'consumeData' : 'consume'}`
    await end.branch.rpc.callAndRead(
      result => onConsumer?.(result as Announcement),
      method,
      end.transport,
      consuming
    )
  }

  /** As mediasoup, which looks for the Producer first: nothing is told when that is not there. */
  tellOpened(opened: OpenedEnd[]) {
    for (const { end, announcement } of opened) this.#pipes.tellTransport(end, announcement)
  }

  tellConsumer({ transport }: TransportEnd, consumer: Announcement) {
    const event = `PipeTransport.new${consumer.kind.toLowerCase()}`
    this.#pipes.tell(encodeNotification(event, [transport, null, consumer]))
  }

  /** Where the ends send to, as it will be: as from mediasoup, what is on them is heard of later. */
  tellConnected([one, other]: [TransportEnd, TransportEnd]) {
    for (const [{ transport, members }, peer] of [
      [one, other],
      [other, one]
    ] as const) {
      const { localAddress: remoteIp, localPort: remotePort } = peer.members.tuple
      const live = { tuple: { ...members.tuple, remoteIp, remotePort } }
      this.#pipes.tell(encodeNotification('PipeTransport.live', [transport, live]))
    }
  }

  /**
   * Connects the ends of a pipe.
   *
   * @param isOurs they are where their hosts take pipes: that may be an address to which the host of
   * the other end lets no client send
   */
  async connect([one, other]: [TransportEnd, TransportEnd], isOurs: boolean) {
    await Promise.all([this.#connectEnd(one, other, isOurs), this.#connectEnd(other, one, isOurs)])
  }

  async #connectEnd(
    { branch, transport }: TransportEnd,
    { members: { tuple, srtpParameters } }: TransportEnd,
    isOurs: boolean
  ) {
    const { localAddress: ip, localPort: port } = tuple
    // An older leaf does not know it, and denies nothing.
    if (isOurs) branch.rpc.call('tier.allowPeer', transport, { ip, port }).catch(() => {})
    const { live } = (await branch.rpc.call('PipeTransport.connect', transport, {
      ip,
      port,
      srtpParameters
    })) as { live?: object }
    if (live) this.#pipes.tell(encodeNotification('PipeTransport.live', [transport, live]))
  }
}

/** No packet would arrive at another host's loopback. */
export function checkReachable(ends: OpenedEnd[]) {
  const [one, other] = ends as [OpenedEnd, OpenedEnd]
  if (!one.loopback || !other.loopback || one.loopback === other.loopback) return
  const hidden = ends.find(({ end }) => LOOPBACK.test(end.members.tuple.localAddress))
  if (!hidden) return
  const { router, members } = hidden.end
  throw new Error(
    `the host of node ${nodeOf(router)} takes pipes at ${members.tuple.localAddress} only, which other hosts do not reach: start it with --pipe-address`
  )
}
