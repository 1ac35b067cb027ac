import type * as ms from 'mediasoup/types'
import { client } from '../../client/index.ts'
import type { Tier } from '../../lib/index.ts'
import { leaf } from '../../server/index.ts'
import type { Adapter, Surroundings } from './index.ts'

export const shared: Adapter = {
  about:
    'client(leaf(mediasoup, {shareWorkers: true})): each Worker is shared with a session that has a Router and Producers on it',
  tier: sharedWithNeighbour
}

const CODECS: ms.RouterRtpCodecCapability[] = [
  { kind: 'audio', mimeType: 'audio/opus', clockRate: 48000, channels: 2 }
]
const RTP: ms.RtpParameters = {
  codecs: [{ mimeType: 'audio/opus', payloadType: 111, clockRate: 48000, channels: 2 }],
  encodings: [{ ssrc: 1000 }]
}

/** A leaf that has a second session on each real Worker, for as long as a session is open. */
function sharedWithNeighbour({ mediasoup, files }: Surroundings): Tier {
  let moveIn = async (_settings: ms.WorkerSettings) => {}
  let moving = false
  const tier = leaf(
    { ...mediasoup, createWorker: createWorker as typeof mediasoup.createWorker },
    { allowFiles: [files], shareWorkers: true, poolSize: 1, linger: 0 }
  )
  return { node: tier.node, open, close: () => tier.close() }

  async function createWorker(settings: ms.WorkerSettings) {
    const worker = await mediasoup.createWorker(settings)
    if (!moving) setImmediate(moveIn, settings)
    return worker
  }

  async function open() {
    const neighbour = await client(tier)
    moveIn = async settings => {
      moving = true
      // It was closed already.
      const worker = await neighbour.createWorker(settings).catch(() => undefined)
      moving = false
      await (worker && furnish(worker))?.catch(() => {}) // So was it then.
    }
    await moveIn({})
    const link = await tier.open()
    link.on('close', () => neighbour.close())
    return link
  }
}

async function furnish(worker: ms.Worker) {
  await worker.createWebRtcServer({ listenInfos: [{ protocol: 'udp', ip: '127.0.0.1' }] })
  const router = await worker.createRouter({ mediaCodecs: CODECS })
  const transport = await router.createDirectTransport()
  await transport.produce({ kind: 'audio', rtpParameters: RTP })
}
