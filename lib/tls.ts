// Certificates and keys of an end of a connection.

import { readFileSync } from 'node:fs'

/** The path of a PEM file, or the contents of one as a Buffer. */
export type Pem = string | Buffer

export interface Tls {
  /** Its own certificate, with those between it and the authority. */
  cert?: Pem
  /** The private key of that certificate. */
  key?: Pem
  /** The authorities whose certificates it takes from the peer. On a client they stand in for those of Node.js. */
  ca?: Pem
}

/** What Node.js is told. The files are read each time, as they may have been replaced. */
export function readTls({ cert, key, ca }: Tls) {
  if ((cert === undefined) !== (key === undefined)) throw new TypeError('a certificate and its key are given together: cert and key')
  return {
    cert: read(cert),
    key: read(key),
    ca: read(ca),
    // Explicit, so that NODE_TLS_REJECT_UNAUTHORIZED switches nothing off.
    rejectUnauthorized: true
  }
}

const read = (pem: Pem | undefined) => typeof pem === 'string' ? readFileSync(pem) : pem
