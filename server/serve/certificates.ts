// The certificates of clients: whose a connection is, until when, and whether an authority still
// vouches for it. The handshake is OpenSSL's; this is about connections that are open already.

import { X509Certificate } from 'node:crypto'
import { TLSSocket } from 'node:tls'
import { type Pem, readPem } from '../../lib/tls.ts'
import { type Revocations, revocationReader } from './revocations.ts'

/** Who vouches for clients. */
export interface Authorities {
  certificates: readonly X509Certificate[]
  revocations: Revocations
}

const CERTIFICATE = /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[^]+?-----END [A-Z0-9 ]+-----/g

/** Answers what reads them, now and again when they have changed. */
export async function authorityReader(ca: Pem, crl: Pem | undefined): Promise<() => Authorities> {
  const readRevocations = await revocationReader(crl)
  return () => ({
    certificates: (readPem(ca).toString('latin1').match(CERTIFICATE) ?? []).map(
      block => new X509Certificate(block)
    ),
    revocations: readRevocations()
  })
}

/** What the peer of a socket has shown. Node.js does not tell what a client showed beside it. */
export const certificateOf = (socket: object): X509Certificate | undefined =>
  socket instanceof TLSSocket ? socket.getPeerX509Certificate() : undefined

export const expiryOf = ({ validTo }: X509Certificate) => new Date(validTo).getTime()

/** Whether some that were let in are not any more: one is gone, or more are revoked. */
export function areStricter(now: Authorities, before: Authorities): boolean {
  const names = new Set(now.certificates.map(({ fingerprint256 }) => fingerprint256))
  return (
    before.certificates.some(({ fingerprint256 }) => !names.has(fingerprint256)) ||
    [...now.revocations.revoked].some(name => !before.revocations.revoked.has(name))
  )
}

/** Why a certificate is not taken without another handshake, if it is not. */
export function refusalOf(
  certificate: X509Certificate,
  { certificates, revocations }: Authorities
): string | undefined {
  if (revocations.has(certificate)) return 'the certificate of the client is revoked'
  const valid = certificates.filter(
    authority => authority.ca && Date.now() < expiryOf(authority) && !revocations.has(authority)
  )
  return isVouchedFor(certificate, valid)
    ? undefined
    : 'the authorities of this tier have changed: the certificate of the client is to be verified again'
}

/** Whether authorities lead from a certificate to one that signs itself, as OpenSSL asks. */
const isVouchedFor = (
  certificate: X509Certificate,
  authorities: readonly X509Certificate[]
): boolean =>
  authorities.some(
    issuer =>
      isIssued(certificate, issuer) &&
      (isIssued(issuer, issuer) ||
        isVouchedFor(
          issuer,
          authorities.filter(other => other !== issuer)
        ))
  )

const isIssued = (certificate: X509Certificate, issuer: X509Certificate) =>
  certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)
