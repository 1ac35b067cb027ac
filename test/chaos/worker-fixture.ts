// A Worker with a Router, and all that an application sees on it.

import type * as ms from 'mediasoup/types'
import type { RemoteMediasoup } from '../../client/index.ts'

const OPUS: ms.RouterRtpCodecCapability = {
  kind: 'audio',
  mimeType: 'audio/opus',
  clockRate: 48000,
  channels: 2,
  preferredPayloadType: 100
}

export class WorkerFixture {
  readonly worker: ms.Worker
  readonly router: ms.Router
  readonly #transports = new Set<ms.Transport>()
  readonly #producers = new Set<ms.Producer>()
  readonly #consumers = new Set<ms.Consumer>()

  static async open(mediasoup: RemoteMediasoup): Promise<WorkerFixture> {
    const worker = await mediasoup.createWorker()
    try {
      return new WorkerFixture(worker, await worker.createRouter({ mediaCodecs: [OPUS] }))
    } catch (error) {
      worker.close()
      throw error
    }
  }

  private constructor(worker: ms.Worker, router: ms.Router) {
    this.worker = worker
    this.router = router
    router.observer.on('newtransport', transport => {
      this.#transports.add(transport)
      transport.observer.on('newproducer', producer => this.#producers.add(producer))
      transport.observer.on('newconsumer', consumer => this.#consumers.add(consumer))
    })
  }

  get isOpen() {
    return !this.router.closed
  }

  /** What the leaves have, and what is seen here, of each sort. */
  async views(): Promise<[what: string, there: unknown, here: unknown][]> {
    const [router, worker] = await Promise.all([this.router.dump(), this.worker.dump()])
    for (const objects of [this.#transports, this.#producers, this.#consumers] as Set<{
      closed: boolean
    }>[]) {
      for (const object of objects) if (object.closed) objects.delete(object)
    }
    const consumersOf = ({ id }: ms.Producer) =>
      [...this.#consumers].filter(({ producerId }) => producerId === id).map(({ id }) => id)
    const paused = await Promise.all(
      [...this.#consumers].map(async consumer => [consumer.id, (await consumer.dump()).paused])
    )
    return [
      ['Routers', worker.routerIds, [this.router.id]],
      [
        'transports',
        router.transportIds.toSorted(),
        [...this.#transports].map(({ id }) => id).toSorted()
      ],
      [
        'Producers and their Consumers',
        byKey(router.mapProducerIdConsumerIds),
        byKey(
          [...this.#producers].map(producer => ({
            key: producer.id,
            values: consumersOf(producer)
          }))
        )
      ],
      [
        'Consumers that are paused',
        paused,
        [...this.#consumers].map(({ id, paused }) => [id, paused])
      ]
    ]
  }

  /** Those to other Routers. */
  get pipes() {
    return [...this.#transports].filter(({ closed, type }) => !closed && type === 'pipe')
  }

  close() {
    this.worker.close()
  }
}

const byKey = (entries: { key: string; values: string[] }[]) =>
  entries
    .map(({ key, values }) => ({ key, values: values.toSorted() }))
    .toSorted((one, other) => (one.key < other.key ? -1 : 1))
