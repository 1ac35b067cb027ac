// The HTTP server of a tier: without TLS, or with TLS and certificates that are replaced while it
// runs.

import { constants } from 'node:crypto'
import { type RequestListener, type Server as HttpServer, createServer } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { Socket } from 'node:net'
import type { Logger } from 'pino'
import { type Pem, readTls } from '../../lib/tls.ts'
import { type WatchedFiles, warnOfReaders, watchFiles } from './files.ts'
import { splitLists } from './revocations.ts'

export interface ServerTls {
  /** The server's certificate, with the certificates between it and the authority. */
  cert: Pem
  /** The private key of the certificate. */
  key: Pem
  /** The authorities of client certificates. With it, every client must show one: mutual TLS. */
  ca?: Pem
  /**
   * Which client certificates are revoked: a list (CRL) of each authority between a client and the
   * root, the root's own included. A list that has ended lets in nobody.
   */
  crl?: Pem
}

export interface ReloadableServer extends WatchedFiles {
  http: HttpServer
}

// For a request, however it comes, and for TLS before it: no client needs as long.
const PATIENCE_MS = 10_000
const patience = {
  headersTimeout: PATIENCE_MS,
  requestTimeout: PATIENCE_MS,
  handshakeTimeout: PATIENCE_MS,
  connectionsCheckingInterval: 1_000
}

export interface HttpEvents {
  /** Whose TLS handshake failed, and why. */
  onRefused(socket: Socket, why: string): void
  /** Reads again what else follows from the files; answers what to call when they are used. */
  prepare(): () => void
}

/**
 * @throws the system's error when a file cannot be read, OpenSSL's when it cannot be used.
 */
export function createHttp(
  listener: RequestListener,
  tls: ServerTls | undefined,
  logger: Logger,
  { onRefused, prepare }: HttpEvents
): ReloadableServer {
  if (!tls) return { http: createServer(patience, listener), reload() {}, unwatch() {} }
  if (tls.crl !== undefined && tls.ca === undefined)
    throw new TypeError('a list of revoked certificates is about clients: it needs a ca')
  const http = createSecureServer(
    { ...patience, ...secureOptions(tls), requestCert: tls.ca !== undefined },
    listener
  )
  http.on('tlsClientError', (error, socket) => onRefused(socket, error.message))
  const files = Object.values(tls).filter(pem => typeof pem === 'string')
  warnOfReaders([tls.key], logger)
  return { http, ...watchFiles(files, reload) }

  function reload(): boolean {
    try {
      const options = secureOptions(tls!)
      const use = prepare()
      http.setSecureContext(options)
      use()
    } catch (error) {
      logger.error(
        { files, reason: (error as Error).message },
        'certificates cannot be used: those before stay'
      )
      return false
    }
    warnOfReaders([tls!.key], logger)
    logger.info({ files }, 'certificates were read again')
    return true
  }
}

// A ticket lets a client in without a look at its certificate, which may have ended meanwhile.
const secureOptions = (tls: ServerTls) => ({
  ...readTls(tls),
  crl: splitLists(tls.crl),
  secureOptions: tls.ca === undefined ? 0 : constants.SSL_OP_NO_TICKET
})
