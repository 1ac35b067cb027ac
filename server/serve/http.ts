// The HTTP server of a tier: without TLS, or with TLS and certificates that are replaced while it
// runs.

import { type RequestListener, type Server as HttpServer, createServer } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { Logger } from 'pino'
import { LogLimit } from '../../lib/log-limit.ts'
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

/** @throws the system's error when a file cannot be read, OpenSSL's when it cannot be used. */
export function createHttp(
  listener: RequestListener,
  tls: ServerTls | undefined,
  logger: Logger
): ReloadableServer {
  if (!tls) return { http: createServer(listener), reload() {}, unwatch() {} }
  const http = createSecureServer({ ...readTls(tls), requestCert: tls.ca !== undefined }, listener)
  const limit = new LogLimit()
  http.on('tlsClientError', (error, { remoteAddress: peer }) =>
    limit.write(
      'TLS',
      () => logger.info({ peer, reason: error.message }, 'a TLS handshake failed'),
      leftOut => logger.info({ leftOut }, 'more TLS handshakes failed')
    )
  )
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
