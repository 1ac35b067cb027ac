// Who is at the other end of a connection, and what they may do: what their certificate and their
// token say together.

import type { X509Certificate } from 'node:crypto'
import type { Scope } from '../../lib/scopes.ts'
import { subjectOf } from './certificate-subject.ts'
import type { ClientScopes } from './client-scopes.ts'
import type { Named } from './deny-list.ts'
import type { SessionLimits } from './limits.ts'
import type { Grant } from './tokens.ts'

export class Identity {
  /** What the client has shown. */
  readonly certificate: X509Certificate | undefined
  /** What the token of the connection allows now; undefined where there are no tokens. */
  token: () => Grant | undefined = () => undefined
  readonly #name: string | undefined
  #allowed: Grant | undefined
  #both: { token: Grant; certificate: Grant; grant: Grant } | undefined

  constructor(certificate: X509Certificate | undefined) {
    this.certificate = certificate
    this.#name = certificate && subjectOf(certificate)
  }

  /** That of the token; without one, that of the certificate. */
  get subject(): string | undefined {
    return this.token()?.subject ?? this.#name
  }

  /** Each name that somebody may be denied by. */
  get names(): Named[] {
    const token = this.token()
    return [{ subject: token?.subject, tokenId: token?.tokenId }, { subject: this.#name }]
  }

  /** What both allow; undefined for everything. The same object while nothing changes. */
  get grant(): Grant | undefined {
    const [token, certificate] = [this.token(), this.#allowed]
    if (!token || !certificate) return token ?? certificate
    if (this.#both?.token !== token || this.#both.certificate !== certificate)
      this.#both = { token, certificate, grant: meet(token, certificate) }
    return this.#both.grant
  }

  /** Looks up what the certificate allows. Throws an AccessError when it is not let in. */
  allow(scopes: ClientScopes) {
    if (this.#name !== undefined) this.#allowed = scopes.grantOf(this.#name)
  }
}

function meet(token: Grant, certificate: Grant): Grant {
  return {
    ...token,
    of: 'token with its certificate',
    subject: token.subject ?? certificate.subject,
    scopes: new Set<Scope>([...token.scopes].filter(scope => certificate.scopes.has(scope))),
    limits: lowest(token.limits, certificate.limits)
  }
}

function lowest(one: Grant['limits'], other: Grant['limits']): Grant['limits'] {
  const names = Object.keys({ ...one, ...other }) as (keyof SessionLimits)[]
  return Object.fromEntries(
    names.map(name => [name, Math.min(one[name] ?? Infinity, other[name] ?? Infinity)])
  )
}
