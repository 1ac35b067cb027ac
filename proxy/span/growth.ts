// Where the parts of Workers, Routers and WebRtcServers come from, and when Workers are given back.

import type * as ms from 'mediasoup/types'
import type { Announcement, Reference } from '../../lib/codec.ts'
import { nodeOf } from '../../lib/head.ts'
import { IDLE, type Load } from '../../lib/load.ts'
import { errors } from '../../lib/mediasoup.ts'
import { type Handle, unknownHandle } from '../../lib/wire.ts'
import type { Caller } from '../caller.ts'
import { PlacedWorkers } from '../placement/placed-workers.ts'
import { count, promise } from './load.ts'
import type { Replicas } from './replicas.ts'
import type { RouterPart, SpanningRouter, SpanningServer, SpanningWorker, WorkerPart } from './span.ts'
import type { Spans } from './spans.ts'
import { tagged } from './tags.ts'
import type { SpanSettings } from '../vertical.ts'

const INTERVAL_MS = 1_000

export class Growth {
  // That of the tier below, as it told it, and what it did not count then.
  #load = IDLE
  readonly #placed = new PlacedWorkers()
  readonly #spans: Spans
  readonly #replicas: Replicas
  readonly #below: Caller
  readonly #settings: SpanSettings
  readonly #session: string
  readonly #timer = setInterval(() => void this.#measure(), INTERVAL_MS).unref()

  readonly #onNode: (node: string) => void

  /**
   * @param session the id by which parts are found again
   * @param onNode is told where each Worker below is
   */
  constructor(
    spans: Spans, replicas: Replicas, below: Caller, settings: SpanSettings, session: string, onNode: (node: string) => void
  ) {
    this.#onNode = onNode
    this.#spans = spans
    this.#replicas = replicas
    this.#below = below
    this.#settings = settings
    this.#session = session
  }

  /** What is known here is not true any more. */
  end() {
    clearInterval(this.#timer)
    for (const part of this.#spans.workerParts.values()) clearTimeout(part.timer)
  }

  /** That of the tier below. */
  get load(): Load {
    return { ...this.#load, workers: this.#load.workers + this.#placed.count }
  }

  set load(load: Load) {
    this.#load = load
    this.#placed.reported()
  }

  /** The Router's part for one more transport, on the Worker that the policy says: on one that drains only if there can be no other. */
  async choose(router: SpanningRouter): Promise<RouterPart> {
    const { worker } = router
    const lasting = placesOf(router).filter(({ part }) => !part.draining)
    const chosen = lasting.length ? this.#settings.policy({ places: lasting, mayGrow: this.#mayGrow(worker) })?.part : undefined
    try {
      return await this.#reserve(router, chosen ?? this.#grow(worker))
    } catch (error) {
      // It began to drain meanwhile.
      if (chosen?.draining) return this.choose(router)
      const places = placesOf(router).filter(({ part, holdsRouter }) => part.draining && holdsRouter)
      if (lasting.length || !places.length) throw error
      return this.#reserve(router, this.#settings.policy({ places, mayGrow: false })!.part)
    }
  }

  async #reserve(router: SpanningRouter, worker: WorkerPart): Promise<RouterPart> {
    promise(worker)
    count(router, worker, 1)
    try {
      await router.worker.growing.get(worker)
      return await this.routerOn(router, worker)
    } catch (error) {
      count(router, worker, -1)
      throw error
    }
  }

  /** The Worker for what is not placed by a policy: the first one that lasts, or else a new one, or the first one if there can be none. */
  async homeOf(worker: SpanningWorker): Promise<WorkerPart> {
    const [first] = worker.parts
    const lasting = worker.parts.find(({ draining }) => !draining)
    if (lasting || !first) return lasting ?? first!
    const [growing] = worker.growing.keys()
    const part = growing ?? this.#grow(worker)
    try {
      await worker.growing.get(part)
      return part
    } catch {
      return first
    }
  }

  /**
   * Moves what a Worker has only where it drains, so that it outlives that host. What carries nothing there any more is given back.
   * Answers false when there is no other place.
   */
  async evacuate(worker: SpanningWorker): Promise<boolean> {
    const home = await this.homeOf(worker)
    if (home.draining) return false
    const stranded = [...worker.routers].filter(({ made }) => [...made].every(({ worker }) => worker.draining))
    await Promise.allSettled([
      ...stranded.map(router => this.routerOn(router, home)),
      ...[...worker.servers].map(server => this.serverOn({ $: server.handle }, home))
    ])
    for (const router of worker.routers) rehome(router)
    for (const part of [...worker.parts]) this.giveBackLater(part)
    return stranded.every(router => router.closed || router.parts.has(home))
  }

  /** The Router's first part. */
  atHome(router: SpanningRouter): RouterPart | undefined {
    const home = this.#spans.routerParts.get(router.home)
    if (home) count(router, home.worker, 1)
    return home
  }

  #mayGrow({ parts, growing }: SpanningWorker) {
    const { maxWorkers } = this.#settings
    const lasting = (all: Iterable<WorkerPart>) => [...all].filter(({ draining }) => !draining).length
    if (maxWorkers !== undefined) return lasting(parts) + growing.size < maxWorkers
    const { capacity, workers, shared } = this.load
    const own = lasting(this.#spans.workerParts.values()) + growing.size // The load may be older than some.
    return own < shared || Math.max(workers, own) < capacity - shared
  }

  /**
   * A Worker of the tier below.
   *
   * @param of the Worker of the client, and its place among the parts of that
   */
  async createWorker(options: Record<string, unknown> | null | undefined, of: Handle, ordinal = 0): Promise<Announcement> {
    const placed = this.#placed.place()
    const { appData: _, ...settings } = options ?? {}
    try {
      const announcement = await this.#below.call('mediasoup.createWorker', tagged(options, this.#session, { of, ordinal, settings })) as Announcement
      placed(true)
      this.#onNode(nodeOf(announcement.$))
      return announcement
    } catch (error) {
      placed(false)
      throw error
    }
  }

  /** A Worker that is on its way can be chosen already: a storm of joins does not start more than it fills. */
  #grow(worker: SpanningWorker): WorkerPart {
    const part = this.#spans.newWorkerPart(worker)
    worker.growing.set(part, this.#start(part))
    return part
  }

  async #start(part: WorkerPart) {
    const { owner } = part
    const announcement = await this.createWorker({ ...owner.settings, appData: owner.appData }, owner.handle, part.ordinal).finally(() => owner.growing.delete(part))
    this.#spans.addWorkerPart(part, announcement)
    if (!owner.closing) return
    this.#below.notify('Worker.close', part.handle)
    throw new errors.WorkerClosedError('the Worker was closed in the meantime')
  }

  /** The Router's part on a Worker, which is made when it is first needed. */
  routerOn(router: SpanningRouter, worker: WorkerPart): Promise<RouterPart> {
    let part = router.parts.get(worker)
    if (!part) {
      part = this.#below.call('Worker.createRouter', worker.handle, tagged({ mediaCodecs: router.mediaCodecs, appData: router.appData }, this.#session, { of: router.handle, id: router.id }))
        .then(announcement => this.#addRouterPart(router, worker, announcement as Announcement))
      router.parts.set(worker, part)
      part.catch(() => router.parts.delete(worker))
    }
    return part
  }

  #addRouterPart(router: SpanningRouter, worker: WorkerPart, announcement: Announcement): RouterPart {
    if (!router.closed) {
      const part = this.#spans.addRouterPart(router, worker, announcement)
      rehome(router)
      return part
    }
    this.#below.notify('Router.close', announcement.$)
    throw new errors.NotFoundError('the Router was closed in the meantime')
  }

  /** The WebRtcServer's part on a Worker. */
  async serverOn({ $ }: Reference, worker: WorkerPart): Promise<Reference> {
    const server = this.#spans.servers.get($)
    if (typeof $ !== 'string') throw new TypeError('webRtcServer must be a WebRtcServer of this session')
    if (!server) throw new errors.NotFoundError(unknownHandle('WebRtcServer', $))
    let part = server.parts.get(worker)
    if (!part) {
      part = this.#createServerPart(server, worker)
      server.parts.set(worker, part)
      part.catch(() => server.parts.delete(worker))
    }
    return { $: await part }
  }

  // On one host a port can be used once: the n-th further Worker takes the n-th port after the configured one.
  async #createServerPart(server: SpanningServer, worker: WorkerPart): Promise<Handle> {
    const listenInfos = (server.options.listenInfos as ms.TransportListenInfo[]).map(info => info.port ? { ...info, port: info.port + worker.ordinal } : info)
    const announcement = await this.#below.call('Worker.createWebRtcServer', worker.handle, tagged({ ...server.options, listenInfos, appData: server.appData }, this.#session, { of: server.handle, id: server.id, options: server.options })) as Announcement
    if (!server.worker.servers.has(server)) {
      this.#below.notify('WebRtcServer.close', announcement.$)
      throw new errors.NotFoundError('the WebRtcServer was closed in the meantime')
    }
    this.#spans.addServerPart(server, announcement)
    return announcement.$
  }

  /** A Worker that has carried nothing for a while is given back; the first one that lasts stays. */
  giveBackLater(part: WorkerPart) {
    if (!isIdle(part)) return
    clearTimeout(part.timer) // It may have carried something since.
    part.timer = setTimeout(() => {
      if (!isIdle(part)) return
      if (this.#isGateway(part)) this.giveBackLater(part)
      else this.#giveBack(part)
    }, this.#settings.linger).unref()
  }

  /** Whether Workers of its host are fed through it. */
  #isGateway(part: WorkerPart) {
    return [...part.owner.routers].some(router => [...router.made].some(made => made.worker === part && this.#replicas.isGateway(made)))
  }

  #giveBack(part: WorkerPart) {
    this.#spans.removeWorkerPart(part)
    for (const router of part.owner.routers) this.#spans.detach(router, part)
    this.#below.notify('Worker.close', part.handle)
  }

  async #measure() {
    await Promise.all([...this.#spans.workerParts.values()].map(async part => {
      try {
        const { ru_utime, ru_stime } = await this.#below.call('Worker.getResourceUsage', part.handle) as ms.WorkerResourceUsage
        part.used = (ru_utime + ru_stime - part.cpuTime) / INTERVAL_MS
        part.cpuTime = ru_utime + ru_stime
        part.measured = part.objects
        // What was promised within the interval is covered by the next one.
        part.settling = part.promised
        part.promised = 0
      } catch {
        // It died, or was closed, in the meantime.
      }
    }))
  }
}

const placesOf = (router: SpanningRouter) => [...router.worker.parts, ...router.worker.growing.keys()].map(part => ({
  part,
  load: part.used + part.settling + part.promised,
  holdsRouter: router.parts.has(part),
  transports: router.counts.get(part) ?? 0
}))

/** Whether a Worker carries nothing, and is not what its owner needs to live on. */
function isIdle(part: WorkerPart) {
  const { owner } = part
  const staying = owner.parts.find(({ draining }) => !draining)
  if (!staying || staying === part || owner.closing || !owner.parts.includes(part)) return false
  return [...owner.routers].every(({ counts, made }) => !counts.get(part) && [...made].some(({ worker }) => worker !== part))
}

/** What a Router has at one place only is to be where it lasts. */
function rehome(router: SpanningRouter) {
  const made = [...router.made]
  if (made.some(({ handle, worker }) => handle === router.home && !worker.draining)) return
  router.home = made.find(({ worker }) => !worker.draining)?.handle ?? router.home
}
