// `mafalda serve`: this host's mediasoup, until a signal ends it.

import type * as ms from 'mediasoup/types'
import { pino } from 'pino'
import { discover } from '../lib/openrpc.ts'
import { remote } from '../client/index.ts'
import type { Tier } from '../lib/index.ts'
import { type Horizontal, horizontal, vertical } from '../proxy/index.ts'
import { leaf, serve } from '../server/index.ts'
import { findWorker } from '../server/worker/index.mjs'
import type { Address } from './main.ts'

interface Options {
  listen: Address
  announcedAddress?: string
  pipeAddress?: string
  allowFiles: string[]
  grace: number
  silence: number
  maxPayload: number
  logLevel: string
  vertical?: boolean
  policy: 'pack' | 'scatter'
  maxWorkers?: number
  shareWorkers?: boolean
  openrpc?: boolean
}

export async function serveTier(urls: string[], options: Options) {
  if (options.openrpc) return console.log(JSON.stringify(discover(), null, 2))

  const logger = pino({ name: 'mafalda', level: options.logLevel }, await logStream())
  const hosts = urls.length ? cluster(urls, logger) : undefined
  const below = hosts ?? await host(options, logger)
  const tier = options.vertical ? vertical(below, { policy: options.policy, maxWorkers: hosts && options.maxWorkers }) : below
  const { listen, grace, silence, maxPayload } = options
  const server = await serve(tier, { ...listen, grace, silence, maxPayload, logger }).catch(error => {
    throw new Error(explain(error, listen), { cause: error })
  })
  logger.info({ url: server.url, node: tier.node }, 'listening')

  // What one client's call makes mediasoup reject and forget must not end the sessions of all others.
  process.on('unhandledRejection', err => logger.error({ err }, 'a rejection was not handled'))
  let stopping = false
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, onSignal)

  async function onSignal(signal: NodeJS.Signals) {
    if (stopping) process.exit(1)
    stopping = true
    logger.info({ signal, sessions: server.sessions }, 'closing')
    await server.close()
    hosts?.close()
    logger.info('closed')
  }
}

/** The mediasoup of this host. */
async function host({ announcedAddress, pipeAddress, allowFiles, shareWorkers, maxWorkers }: Options, logger: pino.Logger): Promise<Tier> {
  const workerBin = await findWorker({ log: line => logger.info(line) })
  // mediasoup reads it when it is loaded.
  process.env.MEDIASOUP_WORKER_BIN = workerBin
  const mediasoup = await import('mediasoup')
  logger.info({ mediasoup: mediasoup.version, workerBin }, 'serving the mediasoup of this host')
  const log: ms.LogEventListeners = {
    onwarn: (namespace, text) => logger.warn({ namespace }, text),
    onerror: (namespace, text, err) => logger.error({ namespace, err }, text)
  }
  return leaf(mediasoup, { announcedAddress, pipeAddress, allowFiles, log, shareWorkers, maxWorkers })
}

/** Many hosts as one. */
function cluster(urls: string[], logger: pino.Logger): Horizontal {
  const tier = horizontal(urls.map(url => remote(url)))
  tier.on('up', child => logger.info({ host: child.name, load: tier.load }, 'host is up'))
  tier.on('down', (child, err) => logger.warn({ host: child.name, reason: err.message }, 'host is down'))
  tier.on('refused', (child, err) => logger.error({ host: child.name, reason: err.message }, 'host refused'))
  return tier
}

const logStream = async () => process.stdout.isTTY
  ? (await import('pino-pretty')).default({ ignore: 'pid,hostname,name', translateTime: 'SYS:HH:MM:ss.l' })
  : pino.destination({ sync: true })

function explain(error: NodeJS.ErrnoException, { host, port }: Address): string {
  switch (error.code) {
    case 'EADDRINUSE': return `port ${port} of ${host} is in use: choose another one with --listen, 0 for any that is free`
    case 'EACCES': return `port ${port} of ${host} may not be opened by this user: choose one above 1023 with --listen`
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND': return `${host} is not an address of this host: choose another one with --listen, 0.0.0.0 for all`
    default: return error.message
  }
}
