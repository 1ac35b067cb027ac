// `mafalda serve`: this host's mediasoup, until a signal ends it.

import type * as ms from 'mediasoup/types'
import type { pino } from 'pino'
import type { WebhookFigures } from '../lib/figures.ts'
import { discover } from '../lib/openrpc.ts'
import { socketDefaults } from '../lib/socket-options.ts'
import { type RemoteOptions, remote } from '../client/index.ts'
import type { Tier } from '../lib/tier.ts'
import { type Horizontal, horizontal, vertical } from '../proxy/index.ts'
import {
  type Drain,
  type LeafTier,
  type Limits,
  type Route,
  type ServerTls,
  type TokenOptions,
  type TurnOptions,
  leaf,
  serve
} from '../server/index.ts'
import { MemoryStore, type Store } from '../registry/index.ts'
import { openLog } from '../server/serve/log.ts'
import { findWorker } from '../server/worker/index.mjs'
import { accessOf } from './access.ts'
import type { Address } from './address.ts'
import { auditLog } from './audit-log.ts'
import { feed, isSource } from './hosts.ts'
import { mediaLog } from './media-log.ts'
import { type MediaNetworkOptions, mediaNetwork } from './media-network.ts'
import { type RegisterOptions, checkRegistration, registerTier } from './register-options.ts'
import { type ScalingOptions, scaleOf, scalingOf } from './scale-options.ts'

export interface Options extends RegisterOptions, MediaNetworkOptions, ScalingOptions {
  listen: Address
  allowFiles: string[]
  grace: number
  silence: number
  maxPayload: number
  maxBacklog: number
  timeout?: number
  patience: number
  mixedVersions?: boolean
  maxMemory?: number
  tlsCert?: string
  tlsKey?: string
  tlsCa?: string
  tlsCrl?: string
  clientScopes?: string
  tokenKeys?: string
  tokenSecret?: string
  tokenAudience?: string
  tokenIssuer?: string
  tokenGrace?: number
  tokenMaxLife?: number
  tokenRequireSub?: boolean
  tokenDeny?: string
  maxSessionAge?: number
  limits: Partial<Limits>
  allowOrigin: string[]
  trustProxy: string[]
  proxyProtocol?: boolean
  auditLog?: string
  healthListen?: Address
  metrics?: boolean
  metricsListen?: Address
  insecure?: boolean
  logLevel: string
  vertical?: boolean
  policy: 'pack' | 'scatter' | 'first'
  watermark: number
  linger: number
  maxWorkers?: number
  shareWorkers?: boolean
  poolSize?: number
  drainDeadline: number
  turn?: string[]
  turnSecret?: string
  turnTtl?: number
  openrpc?: boolean
  monitor?: boolean
}

const SIGNALS = ['SIGINT', 'SIGTERM'] as const

/** What is served. */
export interface Served {
  tier: Tier
  /** Of this host's mediasoup. */
  drain?: Drain
  /** What else is answered on the port of clients. */
  routes?: readonly Route[]
  webhooks?: () => WebhookFigures | undefined
  /** Ends what is beside the tier. */
  close?(): Promise<void>
}

/** @param make makes the tier that the options describe */
export async function serveTier<O extends Options>(
  urls: string[],
  options: O,
  make: (urls: string[], options: O, logger: pino.Logger) => Promise<Served> = tierOf
) {
  if (options.openrpc) return console.log(JSON.stringify(discover(), null, 2))

  const logger = openLog(options.logLevel)
  const { listen, drainDeadline } = options
  if (process.getuid?.() === 0)
    logger.warn('runs as root, and so do its workers: use a user of its own')
  const [tls, tokens] = [serverTls(options), tokenOptions(options)]
  const audit = options.auditLog === undefined ? undefined : auditLog(options.auditLog, logger)
  checkRegistration(options)
  const { tier, drain, routes, webhooks, ...beside } = await make(urls, options, logger)
  const server = await serve(tier, {
    ...listen,
    ...serveOptions(options),
    tls,
    tokens,
    audit: audit?.write,
    healthListen: options.healthListen,
    metrics: options.metrics,
    metricsListen: options.metricsListen,
    routes,
    webhooks,
    logger
  }).catch(error => {
    tier.close() // What is tried again and again would keep this process.
    void beside.close?.()
    throw new Error(explain(error, listen), { cause: error })
  })
  const { url, healthUrl: health, metricsUrl: metrics } = server
  logger.info({ url, health, metrics, node: tier.node }, 'listening')
  const registration = registerTier(options, logger)

  // What one client's call makes mediasoup reject and forget must not end the sessions of all
  // others.
  process.on('unhandledRejection', err => logger.error({ err }, 'a rejection was not handled'))
  if (tls || tokens || audit || options.tokenDeny)
    process.on('SIGHUP', () => {
      server.reload()
      audit?.reopen()
    })
  let [draining, closing] = [false, false]
  for (const signal of SIGNALS) process.on(signal, onSignal)

  drain?.on('change', () =>
    logger.info(drain.state, drain.state.draining ? 'draining' : 'drain cancelled')
  )
  drain?.on('end', reason => void close({ reason }))

  async function onSignal(signal: NodeJS.Signals) {
    if (closing) process.exit(1)
    if (!drain || draining || signal === 'SIGINT' || !drainDeadline) return close({ signal })
    draining = true
    drain.start({ deadline: drainDeadline * 1_000 })
    server.audit('drained', { reason: signal })
  }

  async function close(why: object) {
    if (closing) return
    closing = true
    logger.info({ ...why, sessions: server.sessions }, 'closing')
    await registration?.leave()
    // What the sessions on a proxy have is on hosts below, where the next one finds it.
    await server.close({ comesBack: tier.resumable })
    await beside.close?.()
    logger.info('closed')
    if (tier.resumable) process.exit() // Without a word to the hosts.
    tier.close()
  }
}

/** The tier that the options describe, and the drain of this host if it is its mediasoup's. */
async function tierOf(urls: string[], options: Options, logger: pino.Logger): Promise<Served> {
  if (urls.length) {
    const [sources, hosts] = [urls.filter(isSource), urls.filter(url => !isSource(url))]
    const below = cluster(hosts, options, logger)
    const members = feed(below, sources, accessBelow(options), logger)
    const served = servedOf(below, options, logger)
    return {
      ...served,
      async close() {
        members.end()
        await served.close()
      }
    }
  }
  if (scaleOf(options))
    throw new Error('--scale-max is about the hosts of a cluster: name their URLs')
  const local = await host(options, logger)
  // The leaf counts the Workers.
  return { tier: spanning(local, { ...options, maxWorkers: undefined }), drain: local.drain }
}

/** A cluster, and what sees to the number of its hosts. */
export function servedOf(
  hosts: Horizontal,
  options: Options,
  logger: pino.Logger,
  store: Store = new MemoryStore()
): Required<Omit<Served, 'drain' | 'webhooks'>> {
  const scaling = scalingOf(hosts, options, { store, logger })
  return {
    tier: spanning(hosts, options),
    routes: scaling?.routes ?? [],
    close: async () => scaling?.close()
  }
}

/** The tier, or that of its Routers that span it. */
function spanning(tier: Tier, options: Options): Tier {
  const { policy, watermark, linger, maxWorkers } = options
  if (!options.vertical) return tier
  return vertical(tier, {
    policy: policy === 'first' ? undefined : policy, // That is about hosts.
    watermark,
    linger,
    maxWorkers
  })
}

const serveOptions = ({
  grace,
  silence,
  maxPayload,
  maxBacklog,
  maxMemory,
  limits,
  insecure,
  allowOrigin,
  trustProxy,
  proxyProtocol,
  tokenDeny,
  clientScopes,
  maxSessionAge,
  monitor
}: Options) => ({
  grace,
  silence,
  maxPayload,
  maxBacklog,
  maxMemory,
  limits,
  insecure,
  allowOrigins: allowOrigin,
  trustProxy,
  proxyProtocol,
  deny: tokenDeny,
  clientScopes,
  maxSessionAge: inMs(maxSessionAge),
  monitor
})

const inMs = (seconds: number | undefined) => (seconds === undefined ? undefined : seconds * 1_000)

/** The mediasoup of this host. */
async function host(options: Options, logger: pino.Logger): Promise<LeafTier> {
  const { allowFiles, shareWorkers, poolSize, maxWorkers, linger } = options
  const network = mediaNetwork(options)
  const workerBin = await findWorker({ log: line => logger.info(line) })
  // mediasoup reads it when it is loaded.
  process.env.MEDIASOUP_WORKER_BIN = workerBin
  const mediasoup = await import('mediasoup')
  mediasoup.observer.on('newworker', keepSignals)
  logger.info({ mediasoup: mediasoup.version, workerBin }, 'serving the mediasoup of this host')
  logger.info(network, 'media of clients')
  return leaf(mediasoup, {
    ...network,
    allowFiles,
    log: mediaLog(logger),
    shareWorkers,
    poolSize,
    maxWorkers,
    linger,
    turn: turnOf(options)
  })
}

function turnOf({
  turn: urls,
  turnSecret: secret,
  turnTtl: ttl
}: Options): TurnOptions | undefined {
  if (urls && secret !== undefined) return { urls, secret, ttl }
  if (urls || secret !== undefined || ttl !== undefined)
    throw new Error('--turn and --turn-secret are given together, with or without --turn-ttl')
}

function serverTls(options: Options): ServerTls | undefined {
  const { tlsCert: cert, tlsKey: key, tlsCa: ca, tlsCrl: crl } = options
  if (cert && key) return { cert, key, ca, crl }
  if (cert || key || ca || crl)
    throw new Error('--tls-cert and --tls-key are given together, with or without --tls-ca')
}

function tokenOptions({
  tokenKeys: keys,
  tokenSecret: secret,
  tokenAudience: audience,
  tokenIssuer: issuer,
  tokenGrace: grace,
  tokenMaxLife,
  tokenRequireSub: requireSubject
}: Options): TokenOptions | undefined {
  const maxLife = inMs(tokenMaxLife)
  const others = [keys, secret, audience, issuer, grace, maxLife, requireSubject]
  if (others.every(option => option === undefined)) return undefined
  if (!audience || !keys === !secret)
    throw new Error('tokens take --token-audience, and either --token-keys or --token-secret')
  return { keys, secret, audience, issuer, grace, maxLife, requireSubject }
}

// Each Worker closes itself on a signal, before its sessions could be told why, or move elsewhere:
// they close it.
function keepSignals(worker: ms.Worker) {
  const { onSignal } = worker as unknown as { onSignal?: NodeJS.SignalsListener }
  if (onSignal) for (const signal of SIGNALS) process.off(signal, onSignal)
}

/** How the tiers below are reached. */
export function accessBelow(options: Options): RemoteOptions {
  const { silence, maxBacklog, timeout } = options
  // Clients may be allowed less than what tiers say to each other.
  const maxPayload = Math.max(options.maxPayload, socketDefaults.maxPayload)
  return { silence, maxPayload, maxBacklog, timeout, ...accessOf(options) }
}

/** Many hosts as one. */
export function cluster(urls: string[], options: Options, logger: pino.Logger): Horizontal {
  const { policy, timeout, patience, mixedVersions } = options
  const access = accessBelow(options)
  const tier = horizontal(
    urls.map(url => remote(url, access)),
    {
      policy: policy === 'first' ? policy : undefined,
      timeout,
      patience,
      mixedVersions,
      scale: scaleOf(options)
    }
  )
  tier.on('up', child => logger.info({ host: child.name, load: tier.load }, 'host is up'))
  tier.on('down', (child, err) =>
    logger.warn({ host: child.name, reason: err.message }, 'host is down')
  )
  tier.on('failed', (child, err) =>
    logger.warn({ host: child.name, reason: err.message }, 'host cannot be reached')
  )
  tier.on('refused', (child, err) =>
    logger.error({ host: child.name, reason: err.message }, 'host refused')
  )
  return tier
}

function explain(error: NodeJS.ErrnoException, { host, port }: Address): string {
  switch (error.code) {
    case 'EADDRINUSE':
      return `port ${port} of ${host} is in use: choose another one with --listen, 0 for any that is free`
    case 'EACCES':
      return `port ${port} of ${host} may not be opened by this user: choose one above 1023 with --listen`
    case 'ERR_INSECURE':
      return `whoever reaches ${host} could use this tier: ask for tokens (--token-keys) or client certificates (--tls-ca), listen on 127.0.0.1 without --trust-proxy, or say --insecure if only your own machines reach it`
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `${host} is not an address of this host: choose another one with --listen, 0.0.0.0 for all`
    default:
      return error.message
  }
}
