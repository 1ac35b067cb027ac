// The HTTP server of a tier: without TLS, or with TLS and certificates that are replaced while it
// runs.

import { type RequestListener, type Server as HttpServer, createServer } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { Socket } from 'node:net'
import type { Logger } from 'pino'
import { type Pem, readTls } from '../../lib/tls.ts'
import { watchFiles } from './files.ts'

export interface ServerTls {
  /** The server's certificate, with the certificates between it and the authority. */
  cert: Pem
  /** The private key of the certificate. */
  key: Pem
  /** The authorities of client certificates. With it, every client must show one: mutual TLS. */
  ca?: Pem
}

export interface ReloadableServer {
  http: HttpServer
  /** Reads the certificates again. If the new ones cannot be used, the old ones stay. */
  reload(): void
  /** Ends watching the files. */
  unwatch(): void
}

// For a request, however it comes, and for TLS before it: no client needs as long.
const PATIENCE_MS = 10_000
const patience = {
  headersTimeout: PATIENCE_MS,
  requestTimeout: PATIENCE_MS,
  handshakeTimeout: PATIENCE_MS,
  connectionsCheckingInterval: 1_000
}

/**
 * @param onRefused is told whose TLS handshake failed, and why
 * @throws the system's error when a file cannot be read, OpenSSL's when it cannot be used.
 */
export function createHttp(
  listener: RequestListener,
  tls: ServerTls | undefined,
  logger: Logger,
  onRefused: (socket: Socket, why: string) => void
): ReloadableServer {
  if (!tls) return { http: createServer(patience, listener), reload() {}, unwatch() {} }
  const http = createSecureServer(
    { ...patience, ...readTls(tls), requestCert: tls.ca !== undefined },
    listener
  )
  http.on('tlsClientError', (error, socket) => onRefused(socket, error.message))
  const files = Object.values(tls).filter(pem => typeof pem === 'string')
  return { http, reload, unwatch: watchFiles(files, reload) }

  function reload() {
    try {
      http.setSecureContext(readTls(tls!))
      logger.info({ files }, 'certificates were read again')
    } catch (error) {
      logger.error(
        { files, reason: (error as Error).message },
        'certificates cannot be used: those before stay'
      )
    }
  }
}
