// Stats of a Consumer of a piped Producer: what they say of the Producer is what the original says
// of itself. The pipe has other SSRCs, and losses of its own.

import type * as ms from 'mediasoup/types'
import type { RpcClient } from '../rpc-client.ts'
import type { Handle } from '../../lib/wire.ts'
import type { ProducerRecord, Replica } from './types.ts'

type Stat = ms.ConsumerStat | ms.ProducerStat

/** SSRCs of a pipe, to the streams of the original that they carry. */
type Streams = Map<number, ms.RtpEncodingParameters>

export class ConsumerStats {
  readonly #below: RpcClient
  // What many Consumers ask at the same time is asked once.
  readonly #asked = new Map<ProducerRecord, Promise<ms.ProducerStat[]>>()
  readonly #streams = new WeakMap<Replica, Promise<Streams>>()

  constructor(below: RpcClient) {
    this.#below = below
  }

  async of(consumer: Handle, replica: Replica): Promise<Stat[]> {
    const [stats, originals, streams] = await Promise.all([
      this.#below.call('Consumer.getStats', consumer) as Promise<Stat[]>,
      // Without it, or its host, there is nothing to say of it.
      this.#originalsOf(replica.of).catch(() => []),
      this.#streamsOf(replica).catch((): Streams => new Map())
    ])
    return stats.flatMap(stat => {
      if (stat.type !== 'inbound-rtp') return stat
      const stream = streams.get(stat.ssrc)
      return originals.find(original => stream && isOf(stream, original)) ?? []
    })
  }

  #originalsOf(producer: ProducerRecord): Promise<ms.ProducerStat[]> {
    const known = this.#asked.get(producer)
    if (known) return known
    const asked = this.#below.call('Producer.getStats', producer.handle) as Promise<
      ms.ProducerStat[]
    >
    this.#asked.set(producer, asked)
    const forget = () => this.#asked.delete(producer)
    asked.then(forget, forget)
    return asked
  }

  #streamsOf(replica: Replica): Promise<Streams> {
    const known = this.#streams.get(replica)
    if (known) return known
    const streams = this.#readStreams(replica)
    this.#streams.set(replica, streams)
    streams.catch(() => this.#streams.delete(replica))
    return streams
  }

  /** A pipe has the encodings of the original, in their order. */
  async #readStreams({ of: { handle }, ready }: Replica): Promise<Streams> {
    const [original, piped] = await Promise.all([
      this.#encodingsOf(handle),
      ready.then(pipeProducer => this.#encodingsOf(pipeProducer))
    ])
    return new Map(piped.map(({ ssrc }, i) => [ssrc!, original[i]!]))
  }

  async #encodingsOf(producer: Handle): Promise<ms.RtpEncodingParameters[]> {
    const { rtpParameters } = (await this.#below.call('Producer.dump', producer)) as ms.ProducerDump
    return rtpParameters.encodings!
  }
}

/** Streams are told apart by SSRC or RID; one alone may have neither. */
const isOf = ({ ssrc, rid }: ms.RtpEncodingParameters, stat: ms.ProducerStat) =>
  ssrc ? stat.ssrc === ssrc : !rid || stat.rid === rid
