// Certificates and keys of one end of a connection.

import { readFileSync } from 'node:fs'

/** The path of a PEM file, or the contents of one as a Buffer. */
export type Pem = string | Buffer

export interface Tls {
  /** The own certificate, with the certificates between it and the authority. */
  cert?: Pem
  /** The private key of that certificate. */
  key?: Pem
  /**
   * The authorities that the peer's certificate may be of. On a client they replace those of
   * Node.js.
   */
  ca?: Pem
  /** What the peer's certificate is for. Default: the host of the URL. */
  servername?: string
}

/** The options for Node.js. The files are read each time, because they may have been replaced. */
export function readTls({ cert, key, ca, servername }: Tls) {
  if ((cert === undefined) !== (key === undefined))
    throw new TypeError('a certificate and its key are given together: cert and key')
  return {
    cert: read(cert),
    key: read(key),
    ca: read(ca),
    ...(servername !== undefined && { servername }),
    // Explicit, so that NODE_TLS_REJECT_UNAUTHORIZED cannot switch it off.
    rejectUnauthorized: true
  }
}

export const readPem = (pem: Pem): Buffer => (typeof pem === 'string' ? readFileSync(pem) : pem)

const read = (pem: Pem | undefined) => pem && readPem(pem)
