// `mafalda serve`: this host's mediasoup, until a signal ends it.

import type * as ms from 'mediasoup/types'
import { pino } from 'pino'
import { discover } from '../lib/openrpc.ts'
import { leaf, serve } from '../server/index.ts'
import { findWorker } from '../server/worker/index.mjs'
import type { Address } from './main.ts'

interface Options {
  listen: Address
  announcedAddress?: string
  allowFiles: string[]
  silence: number
  maxPayload: number
  logLevel: string
  openrpc?: boolean
}

export async function serveHost({ listen, announcedAddress, allowFiles, silence, maxPayload, logLevel, openrpc }: Options) {
  if (openrpc) return console.log(JSON.stringify(discover(), null, 2))

  const logger = pino({ name: 'mafalda', level: logLevel }, process.stdout.isTTY ? (await import('pino-pretty')).default({ ignore: 'pid,hostname,name', translateTime: 'SYS:HH:MM:ss.l' }) : pino.destination({ sync: true }))
  const workerBin = await findWorker({ log: line => logger.info(line) })
  // mediasoup reads it when it is loaded.
  process.env.MEDIASOUP_WORKER_BIN = workerBin
  const mediasoup = await import('mediasoup')
  const log: ms.LogEventListeners = {
    onwarn: (namespace, text) => logger.warn({ namespace }, text),
    onerror: (namespace, text, err) => logger.error({ namespace, err }, text)
  }

  const server = await serve(leaf(mediasoup, { announcedAddress, allowFiles, log }), { ...listen, silence, maxPayload, logger }).catch(error => {
    throw new Error(explain(error, listen), { cause: error })
  })
  logger.info({ url: server.url, mediasoup: mediasoup.version, workerBin }, 'listening')

  let stopping = false
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, onSignal)

  async function onSignal(signal: NodeJS.Signals) {
    if (stopping) process.exit(1)
    stopping = true
    logger.info({ signal, sessions: server.sessions }, 'closing')
    await server.close()
    logger.info('closed')
  }
}

function explain(error: NodeJS.ErrnoException, { host, port }: Address): string {
  switch (error.code) {
    case 'EADDRINUSE': return `port ${port} of ${host} is in use: choose another one with --listen, 0 for any that is free`
    case 'EACCES': return `port ${port} of ${host} may not be opened by this user: choose one above 1023 with --listen`
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND': return `${host} is not an address of this host: choose another one with --listen, 0.0.0.0 for all`
    default: return error.message
  }
}
