// Where programs run: two Workers that outlive them, and a Router with some transports and
// Producers on each to begin with, so that short programs have something to work on.

import type * as ms from 'mediasoup/types'
import type { Connection } from '../../client/index.ts'
import { ALL_CODECS } from './media.ts'
import type { Thing, World } from './world.ts'

/** What is needed of mediasoup. */
export interface Mediasoup {
  createWorker(settings?: ms.WorkerSettings): Promise<ms.Worker>
  /** That of a tier. */
  connection?: Pick<Connection, 'locate'>
}

const WORKERS = 2
const MAX_TRIES = 10

const LOCAL: ms.TransportListenInfo = { protocol: 'udp', ip: '127.0.0.1' }
const AUDIO: ms.ProducerOptions = {
  kind: 'audio',
  rtpParameters: {
    codecs: [{ mimeType: 'audio/opus', payloadType: 111, clockRate: 48000, channels: 2 }],
    encodings: [{ ssrc: 1000 }]
  }
}

export class Stage {
  readonly #mediasoup: Mediasoup
  readonly #hosts: number
  readonly hops: number
  #workers: ms.Worker[] = []

  /**
   * @param hosts on how many hosts the Workers have to be
   * @param hops over how many pipes of the tier's own something may go
   */
  constructor(mediasoup: Mediasoup, hosts = 1, hops = 0) {
    this.#mediasoup = mediasoup
    this.#hosts = hosts
    this.hops = hops
  }

  async set(world: World): Promise<void> {
    if (!(await this.#isFit())) await this.#renew()
    for (const worker of this.#workers) {
      // What the program before left there, unless its Worker had to be renewed.
      worker.appData = {}
      const subject = world.add(worker as unknown as Thing)
      await furnish(subject.thing as unknown as ms.Worker)
    }
  }

  /** Closes what a program made, and left open. */
  strike(world: World) {
    for (const { kind, thing } of world.subjects) {
      if ((kind === 'Router' || kind === 'WebRtcServer') && !thing.closed)
        (thing.close as () => void)()
    }
  }

  close() {
    for (const worker of this.#workers.splice(0)) worker.close()
  }

  // A program may have killed a Worker. On plain mediasoup, wrong arguments may have broken it,
  // too; on a tier they must not, so a Worker of a tier that refuses what it should do is found
  // out.
  async #isFit(): Promise<boolean> {
    if (this.#workers.length < WORKERS || this.#workers.some(({ closed }) => closed)) return false
    return this.#mediasoup.connection !== undefined || works(this.#workers)
  }

  async #renew(): Promise<void> {
    this.close()
    const hosts = new Set<string | undefined>()
    for (let tries = 0; this.#workers.length < WORKERS && tries < MAX_TRIES; tries++) {
      const worker = await this.#mediasoup.createWorker({ logLevel: 'none' })
      const host = (await this.#mediasoup.connection?.locate(worker))?.node
      if (hosts.size < this.#hosts && hosts.has(host)) worker.close()
      else this.#workers.push(worker)
      hosts.add(host)
    }
    if (this.#workers.length < WORKERS)
      throw new Error(`the tier did not place Workers on ${this.#hosts} hosts`)
  }
}

const works = (workers: ms.Worker[]) =>
  Promise.all(workers.map(async worker => (await worker.createRouter()).close())).then(
    () => true,
    () => false
  )

async function furnish(worker: ms.Worker) {
  await worker.createWebRtcServer({ listenInfos: [LOCAL] })
  const router = await worker.createRouter({
    mediaCodecs: ALL_CODECS as unknown as ms.RouterRtpCodecCapability[]
  })
  const direct = await router.createDirectTransport()
  const webrtc = await router.createWebRtcTransport({ listenInfos: [LOCAL], enableSctp: true })
  await router.createPlainTransport({ listenInfo: LOCAL, enableSctp: true })
  await router.createAudioLevelObserver({ interval: 5000 })
  const { id: producerId } = await webrtc.produce(AUDIO)
  const { id: dataProducerId } = await direct.produceData({ label: 'chat' })
  await direct.consume({ producerId, rtpCapabilities: router.rtpCapabilities })
  await direct.consumeData({ dataProducerId })
}
