// On which Worker below something goes, when one more is needed, and when one is given back.

import type { Announcement } from '../../lib/codec.ts'
import { errors } from '../../lib/mediasoup.ts'
import type { RpcClient } from '../rpc-client.ts'
import type { Place } from '../placement/policy.ts'
import type { VerticalSettings } from './settings.ts'
import type { Builder } from './builder.ts'
import type { Replicas } from './replicas.ts'
import type { Tables } from './tables.ts'
import type {
  AggregateRouter,
  AggregateServer,
  AggregateWorker,
  RouterPart,
  WorkerPart
} from './types.ts'

export class Scaler {
  readonly #tables: Tables
  readonly #builder: Builder
  readonly #replicas: Replicas
  readonly #below: RpcClient
  readonly #settings: VerticalSettings

  constructor(
    tables: Tables,
    builder: Builder,
    replicas: Replicas,
    below: RpcClient,
    settings: VerticalSettings
  ) {
    this.#tables = tables
    this.#builder = builder
    this.#replicas = replicas
    this.#below = below
    this.#settings = settings
  }

  /** What is known here is not true any more. */
  end() {
    for (const part of this.#tables.workerParts.values()) clearTimeout(part.timer)
  }

  /**
   * The Router's part for one more transport, which is reserved there. A Worker that cannot have it
   * is passed over as long as there is another one, and one that drains is taken only if there can
   * be no other.
   *
   * @param server the WebRtcServer that has to be on the Worker, too
   */
  async place(router: AggregateRouter, server?: AggregateServer): Promise<RouterPart> {
    const { parts } = router.worker
    const { policy } = this.#settings
    const failed = new Set<WorkerPart>()
    let failure: unknown
    let hasGrown = false
    while (!router.closed) {
      const places = placesOf(router).filter(
        ({ worker }) => !failed.has(worker) && !server?.refusedOn.has(worker)
      )
      const lasting = places.filter(({ worker }) => !worker.draining)
      const mayGrow: boolean =
        !hasGrown && (this.#mayGrow(router.worker) || parts.all.every(({ draining }) => draining))
      const candidates: Candidate[] =
        lasting.length || mayGrow ? lasting : places.filter(({ holdsRouter }) => holdsRouter)
      const chosen: WorkerPart | undefined = candidates.length
        ? policy({ places: candidates, mayGrow })?.worker
        : undefined
      if (!chosen && !mayGrow) {
        if (failure || !server?.refusedOn.size) break
        server.refusedOn.clear() // What was in its way may be gone.
        continue
      }
      hasGrown ||= !chosen
      const worker = chosen ?? this.#builder.grow(router.worker)
      try {
        return await this.#reserve(router, worker, server)
      } catch (error) {
        failure ??= error
        failed.add(worker)
      }
    }
    throw failure ?? new errors.NotFoundError('the Router was closed in the meantime')
  }

  async #reserve(
    router: AggregateRouter,
    worker: WorkerPart,
    server?: AggregateServer
  ): Promise<RouterPart> {
    const part = this.#builder.routerOn(router, worker)
    worker.load.promise()
    part.reserved++
    try {
      await part.promise
      if (server) await this.#builder.serverOn(server, worker).promise
      return part
    } catch (error) {
      this.release(part)
      throw error
    }
  }

  /** As place(), on the part that stands for the Router, if it is there. */
  async placeAtHome(router: AggregateRouter): Promise<RouterPart> {
    const { home } = router.parts
    if (home?.state !== 'ready') return this.place(router)
    home.reserved++
    return home
  }

  /** What was reserved is there, or will not be. */
  release(part: RouterPart) {
    part.reserved--
    if (!part.count) this.giveBackLater(part.worker)
  }

  /**
   * The Worker for what is not placed by a policy: the first one that lasts, or else a new one, or
   * the first one if there can be none.
   */
  async homeOf(worker: AggregateWorker): Promise<WorkerPart> {
    const { home } = worker.parts
    if (!home!.draining) return home!
    const other =
      worker.parts.all.find(({ state }) => state === 'pending') ?? this.#builder.grow(worker)
    return other.promise.catch(() => home!)
  }

  /**
   * Makes the first part of something: elsewhere, if its Worker begins to drain, or ends,
   * meanwhile.
   */
  async makeAtHome(
    worker: AggregateWorker,
    make: (home: WorkerPart) => Promise<unknown>
  ): Promise<{ home: WorkerPart; announcement: Announcement }> {
    const home = await this.homeOf(worker)
    let failure: unknown
    const announcement = (await make(home).catch(error => {
      failure = error
    })) as Announcement | undefined
    if (worker.closed)
      throw failure ?? new errors.WorkerClosedError('the Worker was closed in the meantime')
    if (announcement && home.state === 'ready') return { home, announcement }
    if (failure && (await this.homeOf(worker)) === home) throw failure
    return this.makeAtHome(worker, make)
  }

  /**
   * Moves what a Worker has only where it drains, so that it outlives that host. What carries
   * nothing there any more is given back. Answers false when there is no other place.
   */
  async evacuate(worker: AggregateWorker): Promise<boolean> {
    const home = await this.homeOf(worker)
    if (home.draining) return false
    const stranded = [...worker.routers].filter(({ parts }) =>
      parts.ready.every(({ worker }) => worker.draining)
    )
    await Promise.allSettled([
      ...stranded.map(router => this.#builder.routerOn(router, home).promise),
      ...[...worker.servers].map(server => this.#builder.serverOn(server, home).promise)
    ])
    for (const part of worker.parts.ready) this.giveBackLater(part)
    return stranded.every(({ closed, parts }) => closed || parts.on(home))
  }

  #mayGrow({ parts }: AggregateWorker) {
    const { maxWorkers, tierLoad } = this.#settings
    const lasting = (all: WorkerPart[]) => all.filter(({ draining }) => !draining).length
    if (maxWorkers !== undefined) return lasting(parts.all) < maxWorkers
    const { capacity, workers, shared } = tierLoad.load
    // The load may be older than some.
    const own = lasting([...this.#tables.workers.values()].flatMap(({ parts }) => parts.all))
    return own < shared || Math.max(workers, own) < capacity - shared
  }

  /**
   * A Worker that has carried nothing for a while is given back; the first one that lasts stays.
   */
  giveBackLater(part: WorkerPart) {
    if (!isIdle(part)) return
    clearTimeout(part.timer) // It may have carried something since.
    part.timer = setTimeout(() => {
      if (!isIdle(part)) return
      if (this.#isGateway(part)) return this.giveBackLater(part)
      this.#tables.removeWorkerPart(part)
      this.#below.notify('Worker.close', part.handle)
    }, this.#settings.linger).unref()
  }

  /** Whether Workers of its host are fed through it. */
  #isGateway(part: WorkerPart) {
    return [...part.owner.routers].some(
      ({ parts }) => parts.on(part) && this.#replicas.isGateway(parts.on(part)!)
    )
  }
}

interface Candidate extends Place {
  worker: WorkerPart
}

const placesOf = (router: AggregateRouter): Candidate[] =>
  router.worker.parts.all.map(worker => {
    const part = router.parts.on(worker)
    return {
      worker,
      load: worker.load.value,
      holdsRouter: part !== undefined,
      transports: part?.count ?? 0
    }
  })

/** Whether a Worker carries nothing, and is not what its owner needs to live on. */
function isIdle(part: WorkerPart) {
  const { owner, state } = part
  if (owner.closed || state !== 'ready' || owner.parts.home === part || owner.parts.home!.draining)
    return false
  return [...owner.routers].every(
    ({ parts }) => !parts.on(part)?.count && parts.ready.some(({ worker }) => worker !== part)
  )
}
