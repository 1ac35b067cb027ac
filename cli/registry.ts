// `mafalda registry`: a tier of the hosts that register, and the routes of hosts and rooms.

import type { pino } from 'pino'
import { remote } from '../client/index.ts'
import { vertical } from '../proxy/index.ts'
import { openRegistry, openStore } from '../registry/index.ts'
import {
  type Options as ServeOptions,
  type Served,
  accessBelow,
  cluster,
  serveTier
} from './serve.ts'

interface Options extends ServeOptions {
  store: string
  /** In seconds. */
  lease: number
  rooms: 'consistent' | 'available'
}

export const serveRegistry = (options: Options) => serveTier([], options, registryOf)

async function registryOf(_urls: string[], options: Options, logger: pino.Logger): Promise<Served> {
  const { policy, watermark, linger, maxWorkers } = options
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
  const settings = { policy, watermark, linger, maxWorkers }
  return { tier: options.vertical ? vertical(hosts, settings) : hosts, routes, close }
}
