// Applications that consume what others produce, for tests: a session that produces, one that
// consumes by nothing but an id, and what arrives there.

import type * as ms from 'mediasoup/types'
import { type RemoteMediasoup, client } from '../client/index.ts'
import type { Tier } from '../lib/index.ts'
import { headerOf } from '../lib/wire.ts'
import { RpcClient } from '../proxy/rpc-client.ts'
import { afterTest, audio, opus, rtp, until, vp8 } from './helper.ts'

/** A session of a realm. */
export async function sessionOf(tier: Tier, realm?: string): Promise<RemoteMediasoup> {
  const mediasoup = await client({
    open: options => tier.open({ ...options, realm }),
    close() {}
  })
  afterTest(() => mediasoup.close())
  return mediasoup
}

/** A Router, and a DirectTransport on it. */
export async function stage(mediasoup: RemoteMediasoup, mediaCodecs = [opus, vp8]) {
  const worker = await mediasoup.createWorker()
  const router = await worker.createRouter({ mediaCodecs })
  const transport = await router.createDirectTransport()
  const consume = (producerId: string) =>
    transport.consume({ producerId, rtpCapabilities: router.rtpCapabilities })
  return { mediasoup, worker, router, transport, consume }
}

export type Stage = Awaited<ReturnType<typeof stage>>

/** A session that produces. */
export async function lender(mediasoup: RemoteMediasoup) {
  const on = await stage(mediasoup)
  const producer = await on.transport.produce(audio())
  return { ...on, producer }
}

/** A session without a client, which sends what a tier above does. */
export async function rpcOf(tier: Tier, realm?: string): Promise<RpcClient> {
  const link = await tier.open({ realm })
  afterTest(() => link.close())
  const rpc = new RpcClient(link, { name: 'the tier', timeout: 10_000 })
  link.on('frame', frame => void rpc.takes(headerOf(frame)?.id, frame))
  return rpc
}

/** Sends RTP until some of it arrives. */
export async function flows(producer: ms.Producer, consumer: ms.Consumer): Promise<void> {
  let arrived = 0
  const count = () => arrived++
  consumer.on('rtp', count)
  let sent = 0
  await until(() => {
    producer.send(rtp(sent++, { payload: Buffer.from('borrowed') }))
    return arrived > 2
  })
  consumer.off('rtp', count)
}
