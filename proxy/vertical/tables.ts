// Workers, Routers and WebRtcServers of the client, and their parts below, by their handles.
// Nothing here sends anything.

import type { Announcement, Reference } from '../../lib/codec.ts'
import type { Handle } from '../../lib/wire.ts'
import type { Pipes } from '../pipes.ts'
import type { View } from './dumps.ts'
import type { Objects } from './objects.ts'
import type { RecentlyClosed } from './recently-closed.ts'
import {
  AggregateRouter,
  AggregateServer,
  AggregateWorker,
  type HostedTransport,
  RouterPart,
  ServerPart,
  WorkerPart
} from './types.ts'

export class Tables {
  // The client's, that are open.
  readonly workers = new Map<Handle, AggregateWorker>()
  readonly routers = new Map<Handle, AggregateRouter>()
  readonly servers = new Map<Handle, AggregateServer>()
  // Those below.
  readonly workerParts = new Map<Handle, WorkerPart>()
  readonly routerParts = new Map<Handle, RouterPart>()
  readonly serverParts = new Map<Handle, ServerPart>()
  readonly objects: Objects
  readonly closed: RecentlyClosed
  readonly #pipes: Pipes

  constructor(pipes: Pipes, objects: Objects, closed: RecentlyClosed) {
    this.#pipes = pipes
    this.objects = objects
    this.closed = closed
  }

  /** Of all that has parts. */
  handles(): Handle[] {
    return [this.workers, this.routers, this.servers].flatMap(known => [...known.keys()])
  }

  addPart(part: WorkerPart | RouterPart | ServerPart, announcement: Announcement) {
    part.arrived(announcement)
    if (part instanceof WorkerPart) this.workerParts.set(part.handle, part)
    else if (part instanceof RouterPart) this.routerParts.set(part.handle, part)
    else this.serverParts.set(part.handle, part)
  }

  // Workers

  /** One that is open, or was a moment ago. */
  worker = (handle: Handle) => this.workers.get(handle) ?? this.closed.get('Worker', handle)

  addWorker(handle: Handle, announcement: Announcement, settings: Record<string, unknown>) {
    const worker = new AggregateWorker(handle, announcement, settings)
    this.workers.set(handle, worker)
    return worker
  }

  newWorkerPart(owner: AggregateWorker): WorkerPart {
    const taken = new Set(owner.parts.all.map(({ ordinal }) => ordinal))
    let ordinal = 0
    while (taken.has(ordinal)) ordinal++
    return new WorkerPart(owner, ordinal)
  }

  /** It is gone, with what was on it, which is answered. */
  removeWorkerPart(part: WorkerPart): HostedTransport[] {
    const { owner } = part
    clearTimeout(part.timer)
    owner.parts.delete(part)
    this.workerParts.delete(part.handle)
    for (const { parts, refusedOn } of owner.servers) {
      refusedOn.delete(part)
      this.#removeServerPart(parts.on(part))
    }
    return [...owner.routers].flatMap(({ parts }) => this.#removeRouterPart(parts.on(part)))
  }

  closeWorker(worker: AggregateWorker) {
    worker.closed = true
    for (const router of worker.routers) this.closeRouter(router)
    for (const server of worker.servers) this.closeServer(server)
    this.workers.delete(worker.handle)
    this.closed.add('Worker', worker)
  }

  // Routers

  router = (handle: Handle) => this.routers.get(handle) ?? this.closed.get('Router', handle)

  /** @param home the Worker on which its first part is there */
  addRouter(handle: Handle, announcement: Announcement, home: WorkerPart, mediaCodecs: unknown) {
    const router = new AggregateRouter(handle, announcement, home.owner)
    router.mediaCodecs = mediaCodecs
    this.routers.set(handle, router)
    home.owner.routers.add(router)
    this.addPart(router.parts.add(new RouterPart(router, home)), announcement)
    return router
  }

  closeRouter(router: AggregateRouter) {
    if (router.closed) return
    router.closed = true
    router.worker.routers.delete(router)
    this.routers.delete(router.handle)
    for (const other of router.pipedTo.keys()) other.pipedTo.delete(router)
    // The first one last: it says what mediasoup says of a Router that is closed.
    for (const part of router.parts.all.toReversed()) this.#removeRouterPart(part)
    this.closed.add('Router', router)
  }

  /** Answers what was on it. */
  #removeRouterPart(part: RouterPart | undefined): HostedTransport[] {
    if (!part) return []
    const { owner } = part
    const wasReady = part.state === 'ready'
    owner.parts.delete(part)
    if (!wasReady) return []
    this.routerParts.delete(part.handle)
    for (const [other, piped] of owner.pipedTo) if (piped === part) owner.pipedTo.delete(other)
    this.#pipes.routerClosed(part.handle)
    const transports = [...part.transports]
    for (const transport of transports) this.objects.removeTransport(transport)
    for (const producer of [...owner.producers.values(), ...owner.dataProducers.values()])
      producer.replicas?.get(part)?.drop()
    return transports
  }

  // WebRtcServers

  server = (handle: Handle) => this.servers.get(handle) ?? this.closed.get('WebRtcServer', handle)

  addServer(
    handle: Handle,
    announcement: Announcement,
    home: WorkerPart,
    options: Record<string, unknown>
  ) {
    const server = new AggregateServer(handle, announcement, home.owner)
    server.options = options
    this.servers.set(handle, server)
    home.owner.servers.add(server)
    this.addPart(server.parts.add(new ServerPart(server, home)), announcement)
    return server
  }

  closeServer(server: AggregateServer) {
    if (server.closed) return
    server.closed = true
    for (const part of server.parts.all.toReversed()) this.#removeServerPart(part)
    server.worker.servers.delete(server)
    this.servers.delete(server.handle)
    this.closed.add('WebRtcServer', server)
  }

  #removeServerPart(part: ServerPart | undefined) {
    if (!part) return
    part.owner.parts.delete(part)
    this.serverParts.delete(part.handle)
  }

  // All

  /** What a dump of the whole hides of its parts, and how it names them. */
  viewOf({ routers, servers }: AggregateWorker): View {
    const alias = new Map<string, string>()
    for (const { parts, id } of [...routers, ...servers])
      for (const part of parts.ready) alias.set(part.id, id)
    return { hidden: this.#pipes.ids, alias }
  }

  /** What stands below for an object that has parts. */
  homeOf(handle: Handle): Handle {
    return (this.router(handle) ?? this.worker(handle))?.parts.home?.handle ?? handle
  }

  /** Options with what stands below in place of the client's own objects. */
  below(options: Record<string, unknown> | null | undefined): unknown {
    if (typeof options !== 'object' || options === null) return options
    const handleOf = (value: unknown) => (value as Partial<Reference> | undefined)?.$ ?? ''
    const server = this.server(handleOf(options.webRtcServer))?.parts.home
    const target = this.router(handleOf(options.router))?.parts.home
    return {
      ...options,
      ...(server && { webRtcServer: { $: server.handle } }),
      ...(target && { router: { $: target.handle } })
    }
  }
}
