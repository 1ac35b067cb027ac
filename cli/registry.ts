// `mafalda registry`: a tier of the hosts that register, and the routes of hosts and rooms.

import type { pino } from 'pino'
import { remote } from '../client/index.ts'
import { openRegistry, openStore } from '../registry/index.ts'
import {
  type Options as ServeOptions,
  type Served,
  accessBelow,
  cluster,
  serveTier,
  servedOf
} from './serve.ts'
import { type WebhookFlags, openWebhook } from './webhook-options.ts'

interface Options extends ServeOptions, Omit<WebhookFlags, 'advertise'> {
  store: string
  /** In seconds. */
  lease: number
  rooms: 'consistent' | 'available'
}

export const serveRegistry = (options: Options) => serveTier([], options, registryOf)

async function registryOf(_urls: string[], options: Options, logger: pino.Logger): Promise<Served> {
  const access = accessBelow(options)
  const hosts = cluster([], options, logger)
  const store = await openStore(options.store, logger)
  const { webhook, close: closeWebhook } = openWebhook(options, logger)
  const { routes, events, close } = openRegistry({
    cluster: hosts,
    connect: url => remote(url, access),
    store,
    lease: options.lease * 1_000,
    whenAway: options.rooms,
    webhook,
    log: logger
  })
  const served = servedOf(hosts, options, logger, store)
  return {
    ...served,
    routes: [...routes, ...served.routes],
    webhooks: () => events.counts,
    async close() {
      await served.close()
      closeWebhook()
      await close()
    }
  }
}
