// Who may read metrics on the port of clients: programs of this host, and whoever may operate the
// tier.

import type { IncomingMessage } from 'node:http'
import type { Access } from '../access.ts'
import type { Audit } from '../audit.ts'
import type { ClientAddresses } from '../client-address.ts'
import { isLoopback } from '../exposure.ts'
import type { Guesses } from '../guesses.ts'
import type { Identity } from '../identity.ts'
import type { Tokens } from '../tokens.ts'
import { tokenIn } from '../upgrade-answers.ts'
import type { Refusal } from './endpoint.ts'

export interface Doors {
  addresses: ClientAddresses
  tokens: Tokens | undefined
  access: Access
  guesses: Guesses
  refused: Audit['refused']
}

export const metricsAccess =
  (doors: Doors) =>
  async (request: IncomingMessage): Promise<Refusal | undefined> => {
    const { addresses, guesses, refused } = doors
    if (addresses.isLocal(request) && isOwnName(request)) return undefined
    const refusal = await refusalOf(request, doors)
    if (!refusal) return undefined
    const [status, reason] = refusal
    const address = addresses.of(request)
    refused({ address, status, reason })
    if (status === 401) await guesses.wait(address)
    return refusal
  }

/** A page whose name was bound to this host again sends that name. */
function isOwnName({ headers: { host = '', origin } }: IncomingMessage): boolean {
  const name = host.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1')
  return origin === undefined && isLoopback(name)
}

async function refusalOf(
  request: IncomingMessage,
  { tokens, access }: Doors
): Promise<Refusal | undefined> {
  let identity: Identity
  try {
    identity = access.identify(request.socket)
  } catch (error) {
    return [403, (error as Error).message]
  }
  if (tokens) {
    const { authorization } = request.headers
    if (authorization === undefined)
      return [401, 'metrics need Authorization: Bearer …, a token with the scope operate']
    try {
      const grant = await tokens.verify(tokenIn(authorization))
      identity.token = () => grant
    } catch (error) {
      return [401, (error as Error).message]
    }
  }
  const { grant } = identity
  if (!grant || grant.scopes.has('operate')) return undefined
  return [
    403,
    `metrics need the scope operate, and the ${grant.of} has ${[...grant.scopes].join(', ')}`
  ]
}
