// Who may make an HTTP request on the port of clients: who has a scope, by a token or a certificate.

import type { IncomingMessage } from 'node:http'
import type { Scope } from '../../lib/scopes.ts'
import type { Access } from './access.ts'
import type { Audit } from './audit.ts'
import type { ClientAddresses } from './client-address.ts'
import { isLoopback } from './exposure.ts'
import type { Guesses } from './guesses.ts'
import type { Identity } from './identity.ts'
import type { Tokens } from './tokens.ts'
import { tokenIn } from './upgrade-answers.ts'

/** HTTP's status, and a sentence. */
export type Refusal = [status: number, why: string]

export interface Doors {
  addresses: ClientAddresses
  tokens: Tokens | undefined
  access: Access
  guesses: Guesses
  refused: Audit['refused']
}

/**
 * @param what needs the scope: `metrics need`, `PUT /rooms/{id} needs`
 * @param scope undefined for whoever may come in
 */
export async function identify(
  request: IncomingMessage,
  { tokens, access }: Pick<Doors, 'tokens' | 'access'>,
  what: string,
  scope: Scope | undefined
): Promise<Identity | Refusal> {
  let identity: Identity
  try {
    identity = access.identify(request.socket)
  } catch (error) {
    return [403, (error as Error).message]
  }
  if (!scope) return identity
  if (tokens) {
    const { authorization } = request.headers
    if (authorization === undefined)
      return [401, `${what} Authorization: Bearer …, a token with the scope ${scope}`]
    try {
      const grant = await tokens.verify(tokenIn(authorization))
      identity.token = () => grant
    } catch (error) {
      return [401, (error as Error).message]
    }
  }
  const { grant } = identity
  if (!grant || grant.scopes.has(scope)) return identity
  return [
    403,
    `${what} the scope ${scope}, and the ${grant.of} has ${[...grant.scopes].join(', ') || 'none'}`
  ]
}

/** Tells that somebody was refused. A guess is answered later when there were many. */
export async function tellRefused(
  address: string,
  [status, reason]: Refusal,
  { guesses, refused }: Pick<Doors, 'guesses' | 'refused'>
) {
  refused({ address, status, reason })
  if (status === 401) await guesses.wait(address)
}

/** A page whose name was bound to this host again sends that name. */
export function isOwnName({ headers: { host = '' } }: Pick<IncomingMessage, 'headers'>): boolean {
  return isLoopback(host.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1'))
}
