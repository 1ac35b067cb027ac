// A Worker of a session that is a share of a real one. It has what its session made, and closes no
// more than that.

import type { EventEmitter } from 'node:events'
import type * as ms from 'mediasoup/types'
import { EnhancedEventEmitter, errors } from '../../../lib/mediasoup.ts'
import type { Share, SharedWorker, Tenant } from './shared-worker.ts'

type Reject = (error: Error) => void
type Usage = Record<keyof ms.WorkerResourceUsage, number>

/** Sizes; the rest of what a worker uses is counted from its start on. */
const SIZES: ReadonlySet<string> = new Set<keyof Usage>([
  'ru_maxrss',
  'ru_ixrss',
  'ru_idrss',
  'ru_isrss'
])

export class WorkerShare extends EnhancedEventEmitter<ms.WorkerEvents> implements ms.Worker, Share {
  readonly tenant: Tenant
  readonly observer: ms.WorkerObserver = new EnhancedEventEmitter<ms.WorkerObserverEvents>()
  appData: ms.AppData
  readonly #shared: SharedWorker
  readonly #routers = new Set<ms.Router>()
  readonly #servers = new Set<ms.WebRtcServer>()
  readonly #pending = new Set<Reject>()
  #worker!: ms.Worker
  #usedBefore!: Usage
  #closed = false
  #left = false

  constructor(shared: SharedWorker, tenant: Tenant, appData: ms.AppData = {}) {
    super()
    this.#shared = shared
    this.tenant = tenant
    this.appData = appData
    shared.shares.add(this)
  }

  /** @throws what createWorker() does; WorkerClosedError when the Worker died in the meantime. */
  async open() {
    this.#worker = await this.#shared.started
    this.#usedBefore = await this.#worker.getResourceUsage()
    this.#worker.on('died', this.#onDied)
    this.#worker.on('subprocessclose', this.#onSubprocessClose)
    this.#worker.observer.on('close', this.#onClose)
  }

  get pid() {
    return this.#worker.pid
  }

  get closed() {
    return this.#closed || this.#shared.closed
  }

  get died() {
    return !this.#closed && this.#worker.died
  }

  get subprocessClosed() {
    return this.#closed ? this.#left : this.#worker.subprocessClosed
  }

  /** Whether nobody else is on the Worker. */
  get alone() {
    return this.#shared.shares.size === 1 && !this.#left
  }

  /** Closes what the session made, which hears mediasoup's own cascade from its client. */
  close() {
    if (this.closed) return
    this.#closed = true
    this.#worker.off('died', this.#onDied)
    this.#worker.off('subprocessclose', this.#onSubprocessClose)
    this.#worker.observer.off('close', this.#onClose)
    for (const object of [...this.#routers, ...this.#servers]) object.close()
    for (const reject of this.#pending) reject(closedError())
    this.observer.safeEmit('close')
    void this.#leave()
  }

  // The worker answers in order: by then it has closed all, and has logged the last about it.
  async #leave() {
    await this.#worker.getResourceUsage().catch(() => {}) // It died: that leaves, too.
    this.#left = true
    this.#shared.leave(this)
    this.safeEmit('subprocessclose')
  }

  /**
   * A call on the Worker or on what it carries ends as on a Worker of one's own, where all that is
   * pending fails when it is closed.
   */
  during<T>(call: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#pending.add(reject)
      call.then(resolve, reject).finally(() => this.#pending.delete(reject))
      // What mediasoup itself refuses, it refuses before; what the worker answers comes after.
      if (this.#closed) queueMicrotask(() => process.nextTick(reject, closedError()))
    })
  }

  /**
   * Made of dumps of the session's own objects: that of the real Worker tells of others, who may
   * make it too large to be answered.
   */
  async dump(): Promise<ms.WorkerDump> {
    // Sent at once, so that nothing happens in between.
    const [, ...routers] = await Promise.all([
      this.#worker.getResourceUsage(),
      ...[...this.#routers].map(router => router.dump())
    ])
    const webRtcServerIds = [...this.#servers].map(({ id }) => id)
    const routerIds = routers.map(({ id }) => id)
    const channelNotificationHandlers = routers.flatMap(notified)
    return {
      pid: this.pid,
      webRtcServerIds,
      routerIds,
      channelMessageHandlers: {
        channelRequestHandlers: [
          ...webRtcServerIds,
          ...routerIds,
          ...channelNotificationHandlers,
          ...routers.flatMap(onlyRequested)
        ],
        channelNotificationHandlers
      }
    }
  }

  /** That of the real Worker, whoever caused it, since the share began. */
  async getResourceUsage(): Promise<ms.WorkerResourceUsage> {
    const usage = Object.entries(await this.#worker.getResourceUsage())
    return Object.fromEntries(
      usage.map(([name, used]) => [
        name,
        SIZES.has(name) ? used : used - this.#usedBefore[name as keyof Usage]
      ])
    ) as Usage
  }

  async updateSettings(settings?: ms.WorkerUpdateableSettings) {
    if (this.#closed) throw closedError()
    await this.#shared.updateSettings(this, settings)
  }

  async createWebRtcServer<A extends ms.AppData>(
    options: ms.WebRtcServerOptions<A>
  ): Promise<ms.WebRtcServer<A>> {
    const server = this.#adopt(await this.#worker.createWebRtcServer(options), this.#servers)
    this.observer.safeEmit('newwebrtcserver', server)
    return server
  }

  async createRouter<A extends ms.AppData>(options?: ms.RouterOptions<A>): Promise<ms.Router<A>> {
    const router = this.#adopt(await this.#worker.createRouter(options), this.#routers)
    this.observer.safeEmit('newrouter', router)
    return router
  }

  #adopt<T extends ms.Router | ms.WebRtcServer>(
    object: T,
    siblings: Set<ms.Router | ms.WebRtcServer>
  ): T {
    if (this.closed) {
      object.close()
      throw closedError()
    }
    siblings.add(object)
    ;(object.observer as EventEmitter).once('close', () => siblings.delete(object))
    return object
  }

  #onDied = (error: Error) => this.safeEmit('died', error)
  #onSubprocessClose = () => this.safeEmit('subprocessclose')
  #onClose = () => this.observer.safeEmit('close')
}

const closedError = () => new errors.WorkerClosedError('Channel closed, because the Worker is')

const keys = (map: { key: string }[]) => map.map(({ key }) => key)

/** The objects of a Router to which mediasoup sends notifications and requests, */
const notified = (dump: ms.RouterDump) => [
  ...dump.transportIds,
  ...keys(dump.mapProducerIdConsumerIds),
  ...keys(dump.mapDataProducerIdDataConsumerIds)
]

/** and those to which it sends requests only. */
const onlyRequested = (dump: ms.RouterDump) => [
  ...dump.rtpObserverIds,
  ...keys(dump.mapConsumerIdProducerId),
  ...keys(dump.mapDataConsumerIdDataProducerId)
]
