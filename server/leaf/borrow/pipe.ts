// Pipes from a Router of another session to one of this session, on one host: as mediasoup's
// pipeToRouter() makes them, but what is made on either Router belongs to this session.

import { randomUUID } from 'node:crypto'
import type { EventEmitter } from 'node:events'
import type * as ms from 'mediasoup/types'
import { errors } from '../../../lib/mediasoup.ts'
import type { BorrowedRouter } from './borrowed-router.ts'

/** Two PipeTransports that are connected: on the lender's Router, and on that of this session. */
export interface Pipe {
  from: ms.PipeTransport
  to: ms.PipeTransport
  /** How many Producers cross, or are about to. With the last one it is closed. */
  streams: number
}

/** Of either kind of Producer or Consumer. */
type Closing = { readonly observer: object; close(): void }

const MEBIBYTE = 1024 * 1024

/**
 * Nobody else sees these packets. What a key frame loses in the buffer of a socket is sent again; a
 * message is as large as mediasoup takes one.
 */
export const settings = (): ms.PipeTransportOptions => ({
  listenInfo: {
    protocol: 'udp',
    ip: '127.0.0.1',
    recvBufferSize: 4 * MEBIBYTE,
    sendBufferSize: 4 * MEBIBYTE
  },
  enableSctp: true,
  enableRtx: true,
  maxSendMessageSize: 8 * MEBIBYTE,
  maxReceiveMessageSize: 8 * MEBIBYTE,
  sctpSendBufferSize: 64 * MEBIBYTE,
  sctpPerStreamSendQueueLimit: 64 * MEBIBYTE,
  sctpMaxReceiverWindowBufferSize: 16 * MEBIBYTE
})

/** @param options for each end: settings() within the rules of the host */
export async function connect(
  lender: BorrowedRouter,
  router: ms.Router,
  [ofLender, ofRouter]: [ms.PipeTransportOptions, ms.PipeTransportOptions]
): Promise<Pipe> {
  const made = await Promise.allSettled([
    lender.createPipeTransport(ofLender),
    router.createPipeTransport(ofRouter)
  ])
  const [from, to] = made.map(result => (result.status === 'fulfilled' ? result.value : undefined))
  try {
    const failure = made.find(result => result.status === 'rejected')
    if (!from || !to) throw failure!.reason
    await Promise.all([connectTo(from, to), connectTo(to, from)])
    from.observer.once('close', () => to.close())
    to.observer.once('close', () => from.close())
    if (from.closed || to.closed) throw new errors.NotFoundError('the Router was closed')
    return { from, to, streams: 0 }
  } catch (error) {
    from?.close()
    to?.close()
    throw error
  }
}

const connectTo = (one: ms.PipeTransport, { tuple }: ms.PipeTransport) =>
  one.connect({ ip: tuple.localAddress, port: tuple.localPort })

/** @param appData of the Producer at the end, by which it gets its name */
export async function pipeProducer(
  { from, to }: Pipe,
  producer: ms.Producer,
  appData: ms.AppData
): Promise<void> {
  const consumer = await from.consume({ producerId: producer.id })
  let piped: ms.Producer | undefined
  try {
    const { kind, rtpParameters, producerPaused: paused } = consumer
    piped = await to.produce({ id: randomUUID(), kind, rtpParameters, paused, appData })
    if (producer.closed) throw new errors.NotFoundError('original Producer closed')
    if (piped.paused !== producer.paused) await (producer.paused ? piped.pause() : piped.resume())
    follow(consumer, piped)
    consumer.observer.on('pause', () => void piped!.pause().catch(ignoreClosed))
    consumer.observer.on('resume', () => void piped!.resume().catch(ignoreClosed))
  } catch (error) {
    consumer.close()
    piped?.close()
    throw error
  }
}

export async function pipeDataProducer(
  { from, to }: Pipe,
  dataProducer: ms.DataProducer,
  appData: ms.AppData
): Promise<void> {
  const consumer = await from.consumeData({ dataProducerId: dataProducer.id })
  let piped: ms.DataProducer | undefined
  try {
    const { sctpStreamParameters, label, protocol } = consumer
    const options = { id: randomUUID(), label, protocol, appData }
    piped = await to.produceData({
      ...options,
      ...(sctpStreamParameters && { sctpStreamParameters })
    })
    if (dataProducer.closed) throw new errors.NotFoundError('original DataProducer closed')
    follow(consumer, piped)
  } catch (error) {
    consumer.close()
    piped?.close()
    throw error
  }
}

/** They close together. */
function follow(consumer: Closing, piped: Closing) {
  const [from, to] = [consumer.observer, piped.observer] as unknown as [EventEmitter, EventEmitter]
  from.once('close', () => piped.close())
  to.once('close', () => consumer.close())
}

/** It was closed while it was on the way. */
const ignoreClosed = () => {}
