// What an application does while things break: a Router on which RTP flows, transports that come and go, calls all the time. What
// broke it makes again.

import { isDeepStrictEqual } from 'node:util'
import { setTimeout as setTimeoutPromise } from 'node:timers/promises'
import type * as ms from 'mediasoup/types'
import type { RemoteMediasoup } from '../client/index.ts'
import { Flow } from './flow.ts'
import { Messages } from './messages.ts'
import type { Media } from './media.ts'
import type { News } from './news.ts'
import type { Random } from './random.ts'

const FLOWS = 3
const TRANSPORTS = 5
const OPUS: ms.RouterRtpCodecCapability = { kind: 'audio', mimeType: 'audio/opus', clockRate: 48000, channels: 2, preferredPayloadType: 100 }
const PACKETS_TO_FLOW = 5
const STEP_MS = 20

export class Room {
  readonly #name: string
  readonly #mediasoup: RemoteMediasoup
  readonly #media: Media
  readonly #tell: (news: News) => void
  readonly #mayLose: boolean
  readonly worker: ms.Worker
  readonly #router: ms.Router
  readonly #flows = new Set<Flow>()
  readonly #idle = new Set<ms.Transport>()
  #messages: Messages | undefined
  #serial = 0
  /** When what was broken broke. */
  readonly #broken: number[] = []

  /** @param mayLose whether messages may be lost */
  static async open(name: string, mediasoup: RemoteMediasoup, media: Media, mayLose: boolean, tell: (news: News) => void): Promise<Room> {
    const worker = await mediasoup.createWorker()
    try {
      return new Room(name, mediasoup, media, mayLose, tell, worker, await worker.createRouter({ mediaCodecs: [OPUS] }))
    } catch (error) {
      worker.close()
      throw error
    }
  }

  private constructor(name: string, mediasoup: RemoteMediasoup, media: Media, mayLose: boolean, tell: (news: News) => void, worker: ms.Worker, router: ms.Router) {
    this.#name = name
    this.#mediasoup = mediasoup
    this.#media = media
    this.#tell = tell
    this.#mayLose = mayLose
    this.worker = worker
    this.#router = router
  }

  get isOpen() {
    return !this.#router.closed
  }

  /** One thing of many. What fails because it died is done again. */
  async step(random: Random) {
    await this.complete()
    const flow = random.pick([...this.#flows])
    if (!flow) return
    const idle = random.pick([...this.#idle])
    switch (random.pick(['toggle', 'toggle', 'create', 'create', 'close', 'replace', 'query'] as const)) {
      case 'toggle': {
        await flow.consumer.pause()
        await flow.consumer.resume()
        return
      }
      case 'create': return this.#idle.size < TRANSPORTS ? void this.#idle.add(await this.#router.createWebRtcTransport({ listenInfos: [{ protocol: 'udp', ip: '127.0.0.1' }] })) : undefined
      case 'close': {
        idle?.close()
        return
      }
      case 'replace': return random.next() < 0.2 ? this.#end(flow) : undefined
      case 'query': return void await flow.consumer.getStats()
    }
  }

  /** Makes what is missing, and waits until it flows. */
  async complete() {
    for (const transport of this.#idle) if (transport.closed) this.#idle.delete(transport)
    if (!this.#messages?.isOpen) this.#messages = await Messages.start(this.#router, this.#mayLose, why => this.#tell({ tell: 'wrong', why: `${this.#name}: ${why}` }))
    this.#messages.send()
    while (this.#flows.size < FLOWS && this.isOpen) await this.#startFlow()
  }

  async #startFlow() {
    const number = ++this.#serial
    const id = `${this.#name}/${this.worker.pid}/${number}`
    const flow = await Flow.start(this.#router, this.#media, 1_000 + number, {
      onBroken: why => {
        this.#broken.push(performance.now())
        this.#flows.delete(flow)
        this.#tell({ tell: 'broken', id, why })
      }
    })
    this.#flows.add(flow)
    this.#ids.set(flow, id)
    const pids = await flow.pids(this.#mediasoup)
    if (!this.#flows.has(flow)) return
    this.#tell({ tell: 'flow', id, pids })
    // It breaks when nothing comes for too long.
    while (flow.arrived < PACKETS_TO_FLOW && this.#flows.has(flow)) await setTimeoutPromise(STEP_MS)
    if (!this.#flows.has(flow)) return
    const since = this.#broken.shift()
    if (since !== undefined) this.#tell({ tell: 'recovered', what: 'flow', ms: performance.now() - since })
  }

  readonly #ids = new WeakMap<Flow, string>()

  #end(flow: Flow) {
    this.#tell({ tell: 'over', id: this.#ids.get(flow)! })
    this.#flows.delete(flow)
    flow.end()
  }

  /** What the leaves have is what this client sees. */
  async compare() {
    const [router, worker] = await Promise.all([this.#router.dump(), this.worker.dump()])
    const transports = [...this.#flows].flatMap(({ up, down }) => [up, down])
    const seen = [...transports, ...this.#idle, ...this.#messages?.transports ?? []].filter(({ closed }) => !closed).map(({ id }) => id)
    this.#expect('transports', router.transportIds.toSorted(), seen.toSorted())
    this.#expect('Routers', worker.routerIds.length, 1)
    const flows = [...this.#flows].map(({ producer, consumer }) => ({ key: producer.id, values: [consumer.id] }))
    this.#expect('Producers and their Consumers', sorted(router.mapProducerIdConsumerIds), sorted(flows))
    for (const { consumer } of this.#flows) this.#expect('a Consumer that is paused', (await consumer.dump()).paused, consumer.paused)
    await this.#messages?.arrive()
  }

  #expect(what: string, onLeaf: unknown, here: unknown) {
    if (!isDeepStrictEqual(onLeaf, here)) this.#tell({ tell: 'wrong', why: `${this.#name}: ${what}: the leaf has ${JSON.stringify(onLeaf)}, the client ${JSON.stringify(here)}` })
  }

  close() {
    for (const flow of this.#flows) flow.end()
    this.#flows.clear()
    this.worker.close()
  }
}

const sorted = <T extends { key: string }>(entries: T[]): T[] => entries.toSorted((one, other) => one.key < other.key ? -1 : 1)
