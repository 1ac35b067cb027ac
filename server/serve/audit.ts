// What happened at the entrance of a tier, for an audit: who came in, was refused, and left. No
// record has a secret in it.

import type { Logger } from 'pino'
import { OffenceCounter } from './offence-counter.ts'
import { TokenBucket } from './token-bucket.ts'

export type AuditEvent =
  | 'connected'
  | 'refused'
  | 'opened'
  | 'resumed'
  | 'renewed'
  | 'closed'
  | 'drained'
  | 'cancelled'
  | 'kicked'

export interface AuditFacts {
  /** Of the client. */
  address?: string
  /** The `sub` and the `jti` of its token. */
  subject?: string
  jti?: string
  /** Names the session, and tells nothing about its key. */
  session?: string
  /** The name that it has where its client came in, if that is a tier above. */
  entry?: string
  /** HTTP's status of an upgrade that is refused. */
  status?: number
  reason?: string
  /** Whose sessions were ended, and how many these were. */
  kicked?: { id?: string; subject?: string; count: number }
  /** How many refusals of the address have no record, in the minutes before. */
  leftOut?: number
}

export interface AuditRecord extends AuditFacts {
  time: string
  event: AuditEvent
  /** The tier's. */
  node: string | undefined
}

export interface Audit {
  audit(event: AuditEvent, facts?: AuditFacts): void
  /** The same for who is refused, and in the log. Bounded, because nobody asks who that is. */
  refused(facts: AuditFacts & { address: string }, error?: Error): void
}

// In a minute, of an address; and in a second, of all.
const MAX_REFUSALS = 20
const REFUSALS_PER_SECOND = 100
// A subject is as long as its token allows.
const MAX_LENGTH = 256

export function createAudit(
  tell: (record: AuditRecord) => void = () => {},
  node: string | undefined,
  logger: Logger
): Audit {
  const refusals = new OffenceCounter()
  const bucket = new TokenBucket()
  return { audit, refused }

  function audit(event: AuditEvent, facts: AuditFacts = {}) {
    tell({ time: new Date().toISOString(), event, node, ...shorten(facts) })
  }

  function refused(facts: AuditFacts & { address: string }) {
    const { count, before } = refusals.add(facts.address)
    if (count > MAX_REFUSALS || !bucket.take(REFUSALS_PER_SECOND)) return
    const leftOut = Math.max(0, before - MAX_REFUSALS)
    if (leftOut) facts = { ...facts, leftOut }
    audit('refused', facts)
    const { address: peer, ...others } = shorten(facts)
    logger.info({ peer, ...others }, 'refused')
  }
}

const shorten = (facts: AuditFacts): AuditFacts =>
  Object.fromEntries(
    Object.entries(facts).map(([name, fact]) => [
      name,
      typeof fact === 'string' ? fact.slice(0, MAX_LENGTH) : fact
    ])
  )
