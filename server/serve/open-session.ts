// A session begins: its client is admitted within its limits, and joined to its session on the tier.

import type { Logger } from 'pino'
import type { Budget, Holder } from '../../lib/budget.ts'
import { type Frame, type Link, type Tier, join } from '../../lib/tier.ts'
import type { Access } from './access.ts'
import { AdmissionLink } from './admission.ts'
import type { Audit } from './audit.ts'
import { watchCalls } from './call-log.ts'
import type { SessionLimits } from './limits.ts'
import type { Entrance } from './metrics/entrance.ts'
import { operatorCalls } from './operator-calls.ts'
import { pace } from './pace.ts'
import { type Peer, factsOf } from './peer.ts'

export interface SessionContext {
  tier: Tier
  limits: SessionLimits
  maxBacklog: number
  budget: Budget
  access: Access
  audit: Audit['audit']
  logger: Logger
  /** All that are open. */
  open: Set<Link>
  /** Counts what happens, where somebody wants to know. */
  entrance: Entrance | undefined
}

/**
 * @param link is paused
 * @param first a frame that has come already
 */
export async function openSession(
  { tier, limits, maxBacklog, budget, access, audit, logger, open, entrance }: SessionContext,
  link: Link & Holder,
  peer: Peer,
  opened: Promise<Link>,
  first?: Frame
) {
  const { address } = peer
  const admission = new AdmissionLink(
    link,
    limits,
    () => peer.identity.grant,
    tier.retains ? budget : undefined
  )
  entrance?.session(link)
  admission.onDrain = event => audit(event, factsOf(peer))
  open.add(admission)
  const { id, leave } = access.sessions.add(peer, link, admission)
  peer.session = id
  admission.operatorCalls = operatorCalls(access.sessions, id, kicked => {
    logger.warn({ by: peer.identity.subject, ...kicked }, 'sessions were ended by the operator')
    audit('kicked', { ...factsOf(peer), kicked })
  })
  const names = { session: id, entry: peer.entry }
  admission.watch = watchCalls(logger, names, entrance?.calls)
  let closed = false
  admission.once('close', error => {
    closed = true
    open.delete(admission)
    leave()
    logger.info(
      { peer: address, ...names, sessions: open.size, reason: error?.message },
      'session closed'
    )
    audit('closed', { ...factsOf(peer), reason: error?.message })
  })
  logger.info(
    { peer: address, ...names, sessions: open.size, subject: peer.identity.subject },
    'session opened'
  )
  audit('opened', factsOf(peer))
  link.once('dropped', ({ message: reason }) =>
    logger.warn(
      { peer: address, ...names, reason },
      'a message was not sent: this is the first of its session'
    )
  )
  try {
    const session = await opened
    if (closed) return session.close()
    join(admission, session)
    pace(admission, session, maxBacklog)
    if (first !== undefined) admission.receive(first)
    admission.resume()
  } catch (error) {
    logger.error({ peer: address, ...names, err: error }, 'the tier could not be opened')
    admission.close(error as Error)
  }
}
