// Who is at the other end of a session, and what an audit is told of that.

import { randomBytes } from 'node:crypto'
import type { AuditFacts } from './audit.ts'
import type { Identity } from './identity.ts'

export interface Peer {
  address: string
  /** A name of the session, which tells nothing about its key. */
  session?: string
  /** That of the tier where its client came in, if that is another one. */
  entry?: string
  /** What its tokens and its certificate say. */
  identity: Identity
}

export const factsOf = ({
  address,
  session,
  entry,
  identity
}: Peer): AuditFacts & { address: string } => ({
  address,
  session,
  ...(entry !== undefined && { entry }),
  subject: identity.subject,
  jti: identity.token()?.tokenId
})

/** Random: it tells nothing about the session's key. */
export const newSessionName = () => randomBytes(6).toString('base64url')

/**
 * Gives a session its name, and answers the one that it has where its client came in: whoever may
 * operate this tier says it.
 */
export function nameSession(peer: Peer, entry?: string): string {
  const { grant } = peer.identity
  const isAbove = !grant || grant.scopes.has('operate')
  peer.session = newSessionName()
  peer.entry = isAbove ? entry : undefined
  return peer.entry ?? peer.session
}
