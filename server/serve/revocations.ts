// Lists of certificates that were revoked (CRL). OpenSSL looks at them, and at their signatures,
// in the handshake; open connections are compared with the same files.

import type { X509Certificate } from 'node:crypto'
import { type Pem, readPem } from '../../lib/tls.ts'

export interface Revocations {
  /** Their names, for a comparison. */
  readonly revoked: ReadonlySet<string>
  /** Whether a certificate is one of them. */
  has(certificate: X509Certificate): boolean
}

const LIST = /-----BEGIN X509 CRL-----[^-]+-----END X509 CRL-----/g

/** Each list by itself: Node.js reads one from each text. */
export function splitLists(crl: Pem | undefined): string[] | undefined {
  if (crl === undefined) return undefined
  const lists = readPem(crl).toString('latin1').match(LIST)
  if (!lists) throw new TypeError('a list of revoked certificates is PEM: BEGIN X509 CRL')
  return lists
}

/** Answers what reads the lists, now and again when they have changed. */
export async function revocationReader(crl: Pem | undefined): Promise<() => Revocations> {
  if (crl === undefined) return () => ({ revoked: new Set(), has: () => false })
  // Loaded when it is needed, so that a tier without lists is ready sooner.
  const { Certificate, CertificateRevocationList } = await import('pkijs')
  return () => {
    const revoked = new Set<string>()
    for (const text of splitLists(crl)!) {
      const [, base64 = ''] = /-----\s([^-]+)-----/.exec(text) ?? []
      const list = CertificateRevocationList.fromBER(Buffer.from(base64, 'base64'))
      for (const { userCertificate } of list.revokedCertificates ?? [])
        revoked.add(nameOf(list.issuer, userCertificate))
    }
    return {
      revoked,
      has({ raw }) {
        if (!revoked.size) return false
        const { issuer, serialNumber } = Certificate.fromBER(raw)
        return revoked.has(nameOf(issuer, serialNumber))
      }
    }
  }
}

interface Encoded {
  toSchema(): { toBER(): ArrayBuffer }
}
interface Serial {
  toBER(): ArrayBuffer
}

/** An authority gives each number once. */
const nameOf = (issuer: Encoded, serial: Serial) =>
  [issuer.toSchema().toBER(), serial.toBER()]
    .map(bytes => Buffer.from(bytes).toString('base64'))
    .join()
