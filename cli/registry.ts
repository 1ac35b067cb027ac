// `mafalda registry`: a tier of the hosts that register, and the routes of hosts and rooms.

import type { pino } from 'pino'
import { remote } from '../client/index.ts'
import { MemoryStore, type Store, openRedisStore, openRegistry } from '../registry/index.ts'
import {
  type Options as ServeOptions,
  type Served,
  accessBelow,
  cluster,
  serveTier,
  spanning
} from './serve.ts'

interface Options extends ServeOptions {
  store: string
  /** In seconds. */
  lease: number
  rooms: 'consistent' | 'available'
}

export const serveRegistry = (options: Options) => serveTier([], options, registryOf)

async function registryOf(_urls: string[], options: Options, logger: pino.Logger): Promise<Served> {
  const access = accessBelow(options)
  const hosts = cluster([], options, logger)
  const { routes, close } = openRegistry({
    cluster: hosts,
    connect: url => remote(url, access),
    store: await openStore(options.store, logger),
    lease: options.lease * 1_000,
    whenAway: options.rooms,
    log: logger
  })
  return { tier: spanning(hosts, options), routes, close }
}

async function openStore(url: string, logger: pino.Logger): Promise<Store> {
  if (url === 'memory') return new MemoryStore()
  return openRedisStore(url, {
    onAway: ({ message }) => logger.warn({ reason: message }, 'the store is away'),
    onBack: () => logger.info('the store can be asked')
  })
}
