// Connections with a client certificate: each ends with it, at its date or because nobody vouches
// for it any more. The session goes on when the client comes back with one that is valid.

import type { X509Certificate } from 'node:crypto'
import { MAX_DURATION, clampDuration } from '../../lib/duration.ts'
import { ConnectionError, closeCodes } from '../../lib/errors.ts'
import type { Link } from '../../lib/tier.ts'
import { type Authorities, areStricter, expiryOf, refusalOf } from './certificates.ts'

export class OpenConnections {
  readonly #certificates = new Map<Link, X509Certificate>()

  add(link: Link, certificate: X509Certificate) {
    this.#certificates.set(link, certificate)
    const stop = atTime(expiryOf(certificate), () =>
      end(link, 'the certificate of the client has expired')
    )
    link.once('close', () => {
      stop()
      this.#certificates.delete(link)
    })
  }

  /**
   * Ends those that other authorities do not let in. One whose certificate has an issuer between
   * it and them ends, too: the client comes back, and shows the issuer again.
   */
  check(now: Authorities, before: Authorities) {
    if (!areStricter(now, before)) return
    // Tiers above have many connections with one certificate.
    const refusals = new Map<string, string | undefined>()
    for (const [link, certificate] of this.#certificates) {
      const { fingerprint256: name } = certificate
      if (!refusals.has(name)) refusals.set(name, refusalOf(certificate, now))
      const refusal = refusals.get(name)
      if (refusal) end(link, refusal)
    }
  }
}

const end = (link: Link, why: string) =>
  link.close(new ConnectionError(why, { closeCode: closeCodes.certificate }))

/** Calls back at a time, however far away it is. Answers what ends that. */
export function atTime(time: number, call: () => void): () => void {
  let timer: NodeJS.Timeout
  const wait = () => {
    const left = time - Date.now()
    timer = setTimeout(left > MAX_DURATION ? wait : call, clampDuration(left)).unref()
  }
  wait()
  return () => clearTimeout(timer)
}
