// `mafalda serve`: this host's mediasoup, until a signal ends it.

import { readFile } from 'node:fs/promises'
import type * as ms from 'mediasoup/types'
import { pino } from 'pino'
import { discover } from '../lib/openrpc.ts'
import { remote } from '../client/index.ts'
import type { Tier } from '../lib/index.ts'
import { type Horizontal, horizontal, vertical } from '../proxy/index.ts'
import { type Limits, type ServerTls, type TokenOptions, leaf, serve } from '../server/index.ts'
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
  tlsCert?: string
  tlsKey?: string
  tlsCa?: string
  tokenKeys?: string
  tokenSecret?: string
  tokenAudience?: string
  tokenIssuer?: string
  tokenGrace?: number
  token?: string
  ca?: string
  cert?: string
  key?: string
  limits: Partial<Limits>
  allowOrigin: string[]
  insecure?: boolean
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
  const hosts = urls.length ? cluster(urls, options, logger) : undefined
  const below = hosts ?? await host(options, logger)
  const tier = options.vertical ? vertical(below, { policy: options.policy, maxWorkers: hosts && options.maxWorkers }) : below
  const { listen, grace, silence, maxPayload, limits, insecure, allowOrigin: allowOrigins } = options
  const [tls, tokens] = [serverTls(options), tokenOptions(options)]
  const server = await serve(tier, { ...listen, grace, silence, maxPayload, limits, tls, tokens, insecure, allowOrigins, logger }).catch(error => {
    throw new Error(explain(error, listen), { cause: error })
  })
  logger.info({ url: server.url, node: tier.node }, 'listening')

  // What one client's call makes mediasoup reject and forget must not end the sessions of all others.
  process.on('unhandledRejection', err => logger.error({ err }, 'a rejection was not handled'))
  if (tls || tokens) process.on('SIGHUP', () => server.reload())
  let stopping = false
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, onSignal)

  async function onSignal(signal: NodeJS.Signals) {
    if (stopping) process.exit(1)
    stopping = true
    logger.info({ signal, sessions: server.sessions }, 'closing')
    // What the sessions on a proxy have is on hosts below, where the next one finds it.
    await server.close({ comesBack: tier.resumable })
    logger.info('closed')
    if (tier.resumable) process.exit() // Without a word to the hosts.
    hosts?.close()
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

function serverTls({ tlsCert: cert, tlsKey: key, tlsCa: ca }: Options): ServerTls | undefined {
  if (cert && key) return { cert, key, ca }
  if (cert || key || ca) throw new Error('--tls-cert and --tls-key are given together, with or without --tls-ca')
}

function tokenOptions({ tokenKeys: keys, tokenSecret: secret, tokenAudience: audience, tokenIssuer: issuer, tokenGrace: grace }: Options): TokenOptions | undefined {
  if (!keys && !secret && !audience && !issuer && !grace) return undefined
  if (!audience || !keys === !secret) throw new Error('tokens take --token-audience, and either --token-keys or --token-secret')
  return { keys, secret, audience, issuer, grace }
}

/** Many hosts as one. */
function cluster(urls: string[], { silence, ca, cert, key, token: file }: Options, logger: pino.Logger): Horizontal {
  const tls = ca || cert || key ? { ca, cert, key } : undefined
  const token = file ? async () => (await readFile(file, 'utf8')).trim() : undefined
  const tier = horizontal(urls.map(url => remote(url, { silence, tls, token })))
  tier.on('up', child => logger.info({ host: child.name, load: tier.load }, 'host is up'))
  tier.on('down', (child, err) => logger.warn({ host: child.name, reason: err.message }, 'host is down'))
  tier.on('failed', (child, err) => logger.warn({ host: child.name, reason: err.message }, 'host cannot be reached'))
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
    case 'ERR_INSECURE': return `whoever reaches ${host} could use this tier: ask for tokens (--token-keys) or client certificates (--tls-ca), listen on 127.0.0.1, or say --insecure if only your own machines reach it`
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND': return `${host} is not an address of this host: choose another one with --listen, 0.0.0.0 for all`
    default: return error.message
  }
}
