// Workers, Routers and WebRtcServers of the client, and their parts below: by their handles, until they are closed. Nothing
// here sends anything.

import type { Announcement, Reference } from '../../lib/codec.ts'
import type { Handle } from '../../lib/wire.ts'
import type { View } from './dumps.ts'
import type { Pipes } from '../pipes.ts'
import type { Objects } from './objects.ts'
import type { Placed, RouterPart, SpanningRouter, SpanningServer, SpanningWorker, WorkerPart } from './span.ts'

const MAX_CLOSED = 100

export class Spans {
  // The client's.
  readonly workers = new Map<Handle, SpanningWorker>()
  readonly routers = new Map<Handle, SpanningRouter>()
  readonly servers = new Map<Handle, SpanningServer>()
  // Those below.
  readonly workerParts = new Map<Handle, WorkerPart>()
  readonly routerParts = new Map<Handle, RouterPart>()
  readonly serverParts = new Map<Handle, SpanningServer>()
  readonly #closed: Handle[] = []
  readonly #pipes: Pipes

  /** What is on the Routers. */
  readonly objects: Objects

  constructor(pipes: Pipes, objects: Objects) {
    this.#pipes = pipes
    this.objects = objects
  }

  /** Of all that has parts. */
  handles(): Handle[] {
    return [this.workers, this.routers, this.servers].flatMap(known => [...known.keys()])
  }

  // Workers

  addWorker(handle: Handle, settings: Record<string, unknown>, { appData }: Announcement): SpanningWorker {
    const worker: SpanningWorker = { handle, settings, appData, parts: [], last: '', growing: new Map(), routers: new Set(), servers: new Set(), closing: false }
    this.workers.set(handle, worker)
    return worker
  }

  newWorkerPart(owner: SpanningWorker): WorkerPart {
    const taken = new Set([...owner.parts, ...owner.growing.keys()].map(({ ordinal }) => ordinal))
    let ordinal = 0
    while (taken.has(ordinal)) ordinal++
    return { handle: '', owner, ordinal, used: 0, promised: 0, settling: 0, cpuTime: 0, objects: 0, measured: 0, draining: false }
  }

  addWorkerPart(part: WorkerPart, { $ }: Announcement) {
    const { owner } = part
    part.handle = $
    owner.parts.push(part)
    owner.last = $
    this.workerParts.set($, part)
  }

  removeWorkerPart(part: WorkerPart) {
    const { owner } = part
    owner.parts = owner.parts.filter(other => other !== part)
    owner.last = owner.parts.at(-1)?.handle ?? part.handle
    for (const server of owner.servers) server.parts.delete(part)
  }

  closeWorker(worker: SpanningWorker) {
    worker.closing = true
    for (const router of worker.routers) this.closeRouter(router)
    for (const server of worker.servers) this.closeServer(server)
    this.#retire(worker.handle)
  }

  // A closed object still says what mediasoup says of it; the last ones that were closed.
  #retire(handle: Handle) {
    if (this.#closed.push(handle) <= MAX_CLOSED) return
    const oldest = this.#closed.shift()!
    for (const objects of [this.workers, this.routers, this.servers]) objects.delete(oldest)
  }

  // Routers

  addRouter(handle: Handle, worker: SpanningWorker, home: WorkerPart, announcement: Announcement, mediaCodecs: unknown): SpanningRouter {
    const router: SpanningRouter = {
      handle,
      id: announcement.members.id as string,
      worker,
      mediaCodecs,
      appData: announcement.appData,
      parts: new Map(),
      made: new Set(),
      counts: new Map(),
      pairs: new Map(),
      home: announcement.$,
      producers: new Map(),
      dataProducers: new Map(),
      closed: false
    }
    this.routers.set(handle, router)
    worker.routers.add(router)
    router.parts.set(home, Promise.resolve(this.addRouterPart(router, home, announcement)))
    return router
  }

  addRouterPart(owner: SpanningRouter, worker: WorkerPart, { $, members }: Announcement): RouterPart {
    const part: RouterPart = { handle: $, id: members.id as string, owner, worker, placed: new Set() }
    this.routerParts.set($, part)
    owner.made.add(part)
    // It had lost its only one.
    if (!this.routerParts.has(owner.home)) owner.home = part.handle
    return part
  }

  closeRouter(router: SpanningRouter) {
    if (router.closed) return
    router.closed = true
    router.worker.routers.delete(router)
    for (const part of router.made) this.#removeRouterPart(part)
    this.#retire(router.handle)
  }

  /** Forgets a Router's part on a Worker that is gone, and answers what was on it. */
  detach(router: SpanningRouter, worker: WorkerPart): Placed[] {
    const part = [...router.made].find(part => part.worker === worker)
    router.parts.delete(worker)
    router.counts.delete(worker)
    if (!part) return []
    const placed = [...part.placed]
    for (const [other, pair] of router.pairs) if (pair === part) router.pairs.delete(other)
    this.#removeRouterPart(part)
    for (const produced of [...router.producers.values(), ...router.dataProducers.values()]) produced.replicas?.get(part)?.drop()
    return placed
  }

  #removeRouterPart(part: RouterPart) {
    this.routerParts.delete(part.handle)
    const { owner } = part
    owner.made.delete(part)
    if (owner.home === part.handle && !owner.closed) owner.home = [...owner.made][0]?.handle ?? part.handle
    this.#pipes.routerClosed(part.handle)
    for (const placed of part.placed) this.objects.removePlaced(placed)
  }

  /** What a dump of the whole hides of its parts, and how it names them. */
  viewOf({ routers, servers }: SpanningWorker): View {
    const alias = new Map<string, string>()
    for (const part of this.routerParts.values()) if (routers.has(part.owner)) alias.set(part.id, part.owner.id)
    for (const { ids, id } of servers) for (const each of ids) alias.set(each, id)
    return { hidden: this.#pipes.ids, alias }
  }

  /** What stands below for an object that has parts. */
  homeOf(handle: Handle): Handle {
    return this.routers.get(handle)?.home ?? this.workers.get(handle)?.parts[0]?.handle ?? handle
  }

  /** Options with what stands below in place of the client's own objects. */
  below(options: Record<string, unknown> | null | undefined): unknown {
    if (typeof options !== 'object' || options === null) return options
    const handleOf = (value: unknown) => (value as Partial<Reference> | undefined)?.$ ?? ''
    const server = this.servers.get(handleOf(options.webRtcServer))
    const target = this.routers.get(handleOf(options.router))
    return { ...options, ...server && { webRtcServer: { $: server.home } }, ...target && { router: { $: target.home } } }
  }

  // WebRtcServers

  addServer(handle: Handle, worker: SpanningWorker, home: WorkerPart, options: Record<string, unknown>, announcement: Announcement): SpanningServer {
    const id = announcement.members.id as string
    const server: SpanningServer = { handle, id, worker, options, appData: announcement.appData, home: announcement.$, parts: new Map([[home, Promise.resolve(announcement.$)]]), ids: new Set() }
    this.servers.set(handle, server)
    worker.servers.add(server)
    this.addServerPart(server, announcement)
    return server
  }

  addServerPart(server: SpanningServer, { $, members }: Announcement) {
    this.serverParts.set($, server)
    server.ids.add(members.id as string)
  }

  /** Answers what it was below. */
  closeServer(server: SpanningServer): Handle[] {
    server.worker.servers.delete(server)
    const parts = [...this.serverParts].filter(([, owner]) => owner === server).map(([handle]) => handle)
    for (const handle of parts) this.serverParts.delete(handle)
    this.#retire(server.handle)
    return parts
  }
}
