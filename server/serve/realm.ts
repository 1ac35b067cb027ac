// The realm of a session: within one, and nowhere else, sessions may borrow each other's Producers.

import { createHash } from 'node:crypto'
import type { Identity } from './identity.ts'

/**
 * That of the token's claim `realm`, else of its subject, else of the subject of the certificate;
 * undefined where a tier asks for neither. A tier above, which may operate this one, speaks for its
 * clients. It is a digest, so that no realm passes for a subject, and no tier below learns names.
 *
 * @param said the one that the opening of the session names
 */
export function realmOf(identity: Identity, said?: string): string | undefined {
  const { grant, subject } = identity
  if (said !== undefined && (!grant || grant.scopes.has('operate'))) return said
  const token = identity.token()
  if (token?.realm !== undefined) return digestOf(`realm ${token.realm}`)
  return token || subject !== undefined ? digestOf(`subject ${subject ?? ''}`) : undefined
}

const digestOf = (text: string) => createHash('sha256').update(text).digest('base64url')
