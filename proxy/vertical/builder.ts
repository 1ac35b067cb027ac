// Makes the parts of Workers, Routers and WebRtcServers below. What was changed or closed while a
// part was on its way is made up for when it arrives.

import type * as ms from 'mediasoup/types'
import type { Announcement } from '../../lib/codec.ts'
import { nodeOf } from '../../lib/frame-header.ts'
import { errors } from '../../lib/mediasoup.ts'
import type { Handle } from '../../lib/wire.ts'
import type { RpcClient } from '../rpc-client.ts'
import type { Tables } from './tables.ts'
import { tagged } from './tags.ts'
import type { TierLoad } from './tier-load.ts'
import {
  type AggregateRouter,
  type AggregateServer,
  type AggregateWorker,
  RouterPart,
  ServerPart,
  type WorkerPart
} from './types.ts'

// How many ports are tried for a WebRtcServer: each may be another program's.
const MAX_PORTS = 4

export class Builder {
  readonly #tables: Tables
  readonly #below: RpcClient
  readonly #tierLoad: TierLoad
  readonly #session: string
  readonly #onNode: (node: string) => void
  readonly #onGrown: (part: WorkerPart) => void

  /**
   * @param session the id by which parts are found again
   * @param onNode is told where each Worker below is
   * @param onGrown is told each part of a Worker that is there beside others
   */
  constructor(
    tables: Tables,
    below: RpcClient,
    tierLoad: TierLoad,
    session: string,
    onNode: (node: string) => void,
    onGrown: (part: WorkerPart) => void
  ) {
    this.#tables = tables
    this.#below = below
    this.#tierLoad = tierLoad
    this.#session = session
    this.#onNode = onNode
    this.#onGrown = onGrown
  }

  /**
   * A Worker of the tier below.
   *
   * @param of the Worker of the client, and its place among the parts of that
   */
  async createWorker(
    options: Record<string, unknown> | null | undefined,
    of: Handle,
    ordinal = 0
  ): Promise<Announcement> {
    const placed = this.#tierLoad.place()
    const { appData: _, ...settings } = options ?? {}
    try {
      const announcement = (await this.#below.call(
        'mediasoup.createWorker',
        tagged(options, this.#session, { of, ordinal, settings })
      )) as Announcement
      placed(true)
      this.#onNode(nodeOf(announcement.$))
      return announcement
    } catch (error) {
      placed(false)
      throw error
    }
  }

  /**
   * One more part of a Worker. It can be chosen already: a storm of joins does not start more than
   * it fills.
   */
  grow(worker: AggregateWorker): WorkerPart {
    const part = this.#tables.newWorkerPart(worker)
    return worker.parts.add(part, this.#makeWorker(part))
  }

  async #makeWorker(part: WorkerPart) {
    const { owner } = part
    const { settings } = owner
    const announcement = await this.createWorker(
      { ...settings, appData: owner.appData },
      owner.handle,
      part.ordinal
    )
    if (owner.closed) {
      this.#below.notify('Worker.close', announcement.$)
      throw new errors.WorkerClosedError('the Worker was closed in the meantime')
    }
    this.#tables.addPart(part, announcement)
    this.#onGrown(part)
    const { logLevel, logTags } = owner.settings
    if (owner.settings !== settings)
      await this.#below.call('Worker.updateSettings', part.handle, { logLevel, logTags })
  }

  /** The Router's part on a Worker, which is made when it is first needed. */
  routerOn(router: AggregateRouter, worker: WorkerPart): RouterPart {
    const known = router.parts.on(worker)
    if (known) return known
    const part = new RouterPart(router, worker)
    return router.parts.add(part, this.#makeRouter(part))
  }

  async #makeRouter(part: RouterPart) {
    const { owner, worker } = part
    await worker.promise
    const { mediaCodecs, appData } = owner
    const announcement = (await this.#below.call(
      'Worker.createRouter',
      worker.handle,
      tagged({ mediaCodecs, appData }, this.#session, { of: owner.handle, id: owner.id })
    )) as Announcement
    this.#checkWanted(part, 'Router', announcement)
    this.#tables.addPart(part, announcement)
    if (owner.mediaCodecs !== mediaCodecs)
      this.#below.notify('Router.updateMediaCodecs', part.handle, owner.mediaCodecs)
  }

  serverOn(server: AggregateServer, worker: WorkerPart): ServerPart {
    const known = server.parts.on(worker)
    if (known) return known
    const part = new ServerPart(server, worker)
    server.parts.add(part, this.#makeServer(part))
    part.promise.catch(() => server.refusedOn.add(worker))
    return part
  }

  async #makeServer(part: ServerPart) {
    const { owner, worker } = part
    const tried = new Set<number>()
    const { options, appData, handle: of, id } = owner
    for (;;) {
      const taken = this.#portsOn(worker, part)
      const offset = (part.offset = freeOffset(portsOf(options), taken, tried))
      try {
        const announcement = (await this.#below.call(
          'Worker.createWebRtcServer',
          worker.handle,
          tagged({ ...shifted(options, offset), appData }, this.#session, {
            of,
            id,
            options,
            offset
          })
        )) as Announcement
        this.#checkWanted(part, 'WebRtcServer', announcement)
        return this.#tables.addPart(part, announcement)
      } catch (error) {
        if (tried.add(offset).size === MAX_PORTS || !isPortTaken(error)) throw error
      }
    }
  }

  /**
   * The client's WebRtcServer itself: at the ports that it is configured for, unless a part of
   * another one has come to have them.
   */
  async createServer(
    home: WorkerPart,
    of: Handle,
    options: Record<string, unknown>
  ): Promise<{ announcement: Announcement; offset: number }> {
    const { appData: _, ...shared } = Object(options) as Record<string, unknown>
    const ports = portsOf(shared)
    const derived = this.#portsOn(home, undefined, ({ offset }) => offset > 0)
    const offset = ports.some(port => derived.has(port))
      ? freeOffset(ports, this.#portsOn(home), new Set())
      : 0
    const announcement = (await this.#below.call(
      'Worker.createWebRtcServer',
      home.handle,
      tagged(offset ? shifted(options, offset) : options, this.#session, {
        of,
        options: shared,
        offset
      })
    )) as Announcement
    return { announcement, offset }
  }

  /**
   * What WebRtcServers of the session have on the host of a Worker, or are configured for there:
   * each host starts anew.
   */
  #portsOn(
    { handle }: WorkerPart,
    except?: ServerPart,
    counts: (part: ServerPart) => boolean = () => true
  ): Set<number> {
    const host = nodeOf(handle)
    const taken = new Set<number>()
    for (const { options, parts } of this.#tables.servers.values()) {
      const here = parts.all.filter(
        part => part !== except && nodeOf(part.worker.handle) === host && counts(part)
      )
      for (const port of portsOf(options)) for (const { offset } of here) taken.add(port + offset)
    }
    return taken
  }

  /** What it is a part of may have been closed in the meantime, or its Worker given back. */
  #checkWanted({ state }: RouterPart | ServerPart, kind: string, { $ }: Announcement) {
    if (state !== 'gone') return
    this.#below.notify(`${kind}.close`, $)
    throw new errors.NotFoundError(`the ${kind} was closed in the meantime`)
  }
}

// mediasoup refuses what is none.
const listenInfosOf = ({ listenInfos }: Record<string, unknown>) =>
  (Array.isArray(listenInfos) ? listenInfos : []).filter(
    info => typeof info === 'object' && info !== null
  ) as ms.TransportListenInfo[]

const portsOf = (options: Record<string, unknown>) =>
  listenInfosOf(options).flatMap(({ port }) => (Number.isInteger(port) && port) || [])

const shifted = (options: Record<string, unknown>, offset: number) => ({
  ...options,
  listenInfos: listenInfosOf(options).map(info =>
    info.port ? { ...info, port: info.port + offset } : info
  )
})

/** The first offset at which the ports are not taken. */
function freeOffset(ports: number[], taken: Set<number>, tried: Set<number>): number {
  let offset = 0
  while (tried.has(offset) || ports.some(port => taken.has(port + offset))) offset++
  return offset
}

const isPortTaken = (error: unknown) => /in use/.test((error as Error).message)
