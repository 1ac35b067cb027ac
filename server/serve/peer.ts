// Who is at the other end of a session, and what an audit is told of that.

import type { AuditFacts } from './audit.ts'
import type { Identity } from './identity.ts'

export interface Peer {
  address: string
  /** A name of the session, which tells nothing about its key. */
  session?: string
  /** What its tokens and its certificate say. */
  identity: Identity
}

export const factsOf = ({
  address,
  session,
  identity
}: Peer): AuditFacts & { address: string } => ({
  address,
  session,
  subject: identity.subject,
  jti: identity.token()?.tokenId
})
