// Where the parts of Workers, Routers and WebRtcServers come from, and when Workers are given back.

import type * as ms from 'mediasoup/types'
import type { Announcement, Reference } from '../lib/codec.ts'
import { IDLE, type Load } from '../lib/load.ts'
import { errors } from '../lib/mediasoup.ts'
import { type Handle, unknownHandle } from '../lib/wire.ts'
import type { Caller } from './caller.ts'
import { PlacedWorkers } from './placed-workers.ts'
import { tagged } from './restore.ts'
import type { RouterPart, SpanningRouter, SpanningServer, SpanningWorker, WorkerPart } from './span.ts'
import { type Spans, count, promise } from './spans.ts'
import type { SpanSettings } from './vertical.ts'

const INTERVAL_MS = 1_000

export class Growth {
  // That of the tier below, as it told it, and what it did not count then.
  #load = IDLE
  readonly #placed = new PlacedWorkers()
  readonly #spans: Spans
  readonly #below: Caller
  readonly #settings: SpanSettings
  readonly #session: string | undefined
  readonly #timer = setInterval(() => void this.#measure(), INTERVAL_MS).unref()

  /** @param session the id by which parts are found again; undefined where they need not be */
  constructor(spans: Spans, below: Caller, settings: SpanSettings, session: string | undefined) {
    this.#spans = spans
    this.#below = below
    this.#settings = settings
    this.#session = session
  }

  end() {
    clearInterval(this.#timer)
  }

  /** That of the tier below. */
  get load(): Load {
    return { ...this.#load, workers: this.#load.workers + this.#placed.count }
  }

  set load(load: Load) {
    this.#load = load
    this.#placed.reported()
  }

  /** The Worker, as the policy says, for one more transport of a Router. */
  async choose(router: SpanningRouter): Promise<WorkerPart> {
    const { worker } = router
    const places = [...worker.parts, ...worker.growing.keys()].map(part => ({
      part,
      load: part.used + part.settling + part.promised,
      holdsRouter: router.parts.has(part),
      transports: router.counts.get(part) ?? 0
    }))
    const chosen = this.#settings.policy({ places, mayGrow: this.#mayGrow(worker) })?.part ?? this.#grow(worker)
    promise(chosen)
    count(router, chosen, 1)
    try {
      await worker.growing.get(chosen)
      return chosen
    } catch (error) {
      count(router, chosen, -1)
      throw error
    }
  }

  /** The Worker of the Router's first part. */
  atHome(router: SpanningRouter): WorkerPart | undefined {
    const home = this.#spans.routerParts.get(router.home)?.worker
    if (home) count(router, home, 1)
    return home
  }

  #mayGrow({ parts, growing }: SpanningWorker) {
    const { maxWorkers } = this.#settings
    if (maxWorkers !== undefined) return parts.length + growing.size < maxWorkers
    const { capacity, workers, shared } = this.load
    const own = this.#spans.workerParts.size + growing.size // The load may be older than some.
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
    const announcement = await this.createWorker(owner.settings, owner.handle, part.ordinal).finally(() => owner.growing.delete(part))
    this.#spans.addWorkerPart(part, announcement)
    if (!owner.closing) return
    this.#below.notify('Worker.close', part.handle)
    throw new errors.WorkerClosedError('the Worker was closed in the meantime')
  }

  /** The Router's part on a Worker, which is made when it is first needed. */
  routerOn(router: SpanningRouter, worker: WorkerPart): Promise<RouterPart> {
    let part = router.parts.get(worker)
    if (!part) {
      part = this.#below.call('Worker.createRouter', worker.handle, tagged({ mediaCodecs: router.mediaCodecs }, this.#session, { of: router.handle, id: router.id }))
        .then(announcement => this.#addRouterPart(router, worker, announcement as Announcement))
      router.parts.set(worker, part)
      part.catch(() => router.parts.delete(worker))
    }
    return part
  }

  #addRouterPart(router: SpanningRouter, worker: WorkerPart, announcement: Announcement): RouterPart {
    if (!router.closed) return this.#spans.addRouterPart(router, worker, announcement)
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
    const announcement = await this.#below.call('Worker.createWebRtcServer', worker.handle, tagged({ ...server.options, listenInfos }, this.#session, { of: server.handle, id: server.id, options: server.options })) as Announcement
    if (!server.worker.servers.has(server)) {
      this.#below.notify('WebRtcServer.close', announcement.$)
      throw new errors.NotFoundError('the WebRtcServer was closed in the meantime')
    }
    this.#spans.addServerPart(server, announcement)
    return announcement.$
  }

  /** A Worker that has carried nothing for a while is given back; the first one stays. */
  giveBackLater(part: WorkerPart) {
    const { owner } = part
    const isIdle = () => part !== owner.parts[0] && owner.parts.includes(part) && !owner.closing && [...owner.routers].every(({ counts }) => !counts.get(part))
    if (!isIdle()) return
    clearTimeout(part.timer) // It may have carried something since.
    part.timer = setTimeout(() => { if (isIdle()) this.#giveBack(part) }, this.#settings.linger).unref()
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
