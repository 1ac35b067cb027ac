// The HTTP server of a tier: without TLS, or with TLS and certificates that are replaced while it
// runs.

import { constants } from 'node:crypto'
import { type RequestListener, type Server as HttpServer, createServer } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
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

/**
 * @param prepare reads again what else follows from the files; answers what to call when they are
 *   used
 * @throws the system's error when a file cannot be read, OpenSSL's when it cannot be used.
 */
export function createHttp(
  listener: RequestListener,
  tls: ServerTls | undefined,
  logger: Logger,
  prepare: () => () => void = () => () => {}
): ReloadableServer {
  if (!tls) return { http: createServer(listener), reload() {}, unwatch() {} }
  if (tls.crl !== undefined && tls.ca === undefined)
    throw new TypeError('a list of revoked certificates is about clients: it needs a ca')
  const http = createSecureServer(
    { ...secureOptions(tls), requestCert: tls.ca !== undefined },
    listener
  )
  http.on('tlsClientError', (error, { remoteAddress: peer }) =>
    logger.info({ peer, reason: error.message }, 'a TLS handshake failed')
  )
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
