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

/** A Worker on another leaf than one that there is. */
function workerBeside({ createWorker, connection }: RemoteMediasoup, node: string) {
  return until(async () => {
    const worker = await createWorker()
    if ((await connection.locate(worker)).node !== node) return worker
    worker.close()
    return undefined
  })
}

interface StageOptions {
  mediaCodecs?: ms.RouterRtpCodecCapability[]
  /** A leaf on which it is not to be. */
  beside?: string
}

/** A Router, and a DirectTransport on it. */
export async function stage(
  mediasoup: RemoteMediasoup,
  { mediaCodecs = [opus, vp8], beside }: StageOptions = {}
) {
  const worker = await (beside === undefined
    ? mediasoup.createWorker()
    : workerBeside(mediasoup, beside))
  const router = await worker.createRouter({ mediaCodecs })
  const transport = await router.createDirectTransport()
  const consume = (producerId: string) =>
    transport.consume({ producerId, rtpCapabilities: router.rtpCapabilities })
  return { mediasoup, worker, router, transport, consume }
}

/** A session that produces. */
export async function lender(mediasoup: RemoteMediasoup) {
  const on = await stage(mediasoup)
  const producer = await on.transport.produce(audio())
  const { node } = await mediasoup.connection.locate(on.transport)
  return { ...on, producer, node }
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
