// A registry: hosts register, and rooms get places on them. It is served as routes beside a tier of all
// its hosts, and shares what it knows with other registries through a store.

import { randomUUID } from 'node:crypto'
import { checkDurations } from '../lib/duration.ts'
import type { Route } from '../lib/http-routes.ts'
import type { Tier } from '../lib/tier.ts'
import { closedRoute } from './events/closed-route.ts'
import { type Events, type WebhookOptions, openEvents } from './events/events.ts'
import type { Host } from './host.ts'
import { type Cluster, Fleet } from './hosts/fleet.ts'
import { hostsRoutes } from './http/hosts-routes.ts'
import { roomsRoutes } from './http/rooms-routes.ts'
import type { Log } from './log.ts'
import { Rooms, type RoomsOptions } from './rooms/rooms.ts'
import { MemoryStore } from './store/memory-store.ts'
import type { Place, Store } from './store/store.ts'

export interface RegistryOptions {
  /** A `horizontal`, to which hosts are added, and from which they are taken. */
  cluster: Cluster
  /** Makes a tier of the URL of a host, as `remote` does. */
  connect(url: string): Tier
  /** What it shares with other registries. Default: nothing, it keeps all in memory. */
  store?: Store
  /** How long a host without a connection is there after it registered, in ms. Default 30 s. */
  lease?: number
  /**
   * What new rooms get while the store is away: `consistent` refuses them (503), `available` gives
   * each a place, which is written later. Default `consistent`.
   */
  whenAway?: RoomsOptions['whenAway']
  /** Default: nothing is told. */
  log?: Log
  /** Where an application is told of hosts and rooms. Default: nowhere. */
  webhook?: WebhookOptions | undefined
  /** A room has got a host; the epoch says how many it had before. */
  onAssigned?: (place: Place, host: Host | undefined) => void
  /** A room was deleted. */
  onClosed?: (place: Place) => void
}

export interface Registry {
  /** For `serve(cluster, { routes })`. */
  readonly routes: readonly Route[]
  readonly fleet: Fleet
  readonly rooms: Rooms
  readonly store: Store
  readonly events: Events
  /** Ends what it does, and the store. */
  close(): Promise<void>
}

const LEASE_MS = 30_000
const SILENT: Log = { info() {}, warn() {} }

/**
 * Opens a registry.
 *
 * @throws RangeError for a lease that no timer can wait for.
 * @example
 * ```ts
 * const cluster = horizontal()
 * const { routes } = openRegistry({ cluster, connect: remote })
 * await serve(vertical(cluster), { port: 4100, routes })
 * ```
 */
export function openRegistry(options: RegistryOptions): Registry {
  const { cluster, connect, onAssigned = () => {}, onClosed = () => {} } = options
  const { store = new MemoryStore(), lease = LEASE_MS, log = SILENT } = options
  checkDurations({ lease }, 1)
  const registry = randomUUID()
  const fleet = new Fleet({ store, cluster, connect, registry, lease, log })
  const { whenAway = 'consistent', webhook } = options
  const events = openEvents({
    ...{ store, fleet, registry, webhook, log },
    wanted: () => cluster.wanted
  })
  const rooms = new Rooms({ store, fleet, events, whenAway, log, onAssigned, onClosed })
  return {
    routes: [
      ...hostsRoutes({ store, fleet, lease }),
      ...roomsRoutes({ rooms, fleet }),
      closedRoute(rooms)
    ],
    fleet,
    rooms,
    store,
    events,
    async close() {
      await events.close()
      rooms.close()
      fleet.close()
      await store.close()
    }
  }
}
