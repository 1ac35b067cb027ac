// What the operator asks of the server of a tier, and not of the tier: which sessions there are,
// and to end some.

import { ProtocolError, codes, describeError } from '../../lib/errors.ts'
import type { CallHead, Frame } from '../../lib/frame.ts'
import { decode, encodeFailure, encodeResult } from '../../lib/wire.ts'
import type { OpenSessions } from './open-sessions.ts'

/** The answer to a request, if it is one of these. */
export type OperatorCalls = (head: CallHead, frame: Frame) => Frame | undefined

/**
 * @param own the id of the session that asks
 * @param onKick is told when it has ended others
 */
export const operatorCalls =
  (
    sessions: OpenSessions,
    own: string,
    onKick: (kicked: { id?: string; subject?: string; count: number }) => void
  ): OperatorCalls =>
  ({ method, id }, frame) => {
    if (id == null || (method !== 'tier.sessions' && method !== 'tier.kick')) return undefined
    if (method === 'tier.sessions') return encodeResult(id, { sessions: sessions.list() })
    try {
      const which = whichOf(frame)
      const count = sessions.kick(which, own)
      onKick({ ...which, count })
      return encodeResult(id, { count })
    } catch (error) {
      return encodeFailure(id, describeError(error))
    }
  }

// → {"id": 8, "method": "tier.kick", "params": [{"subject": "alice"}]}
// ← {"id": 8, "result": {"count": 2}}
function whichOf(frame: Frame): { id?: string; subject?: string } {
  const {
    params: [which]
  } = decode(frame) as unknown as { params: unknown[] }
  const { id, subject } = Object(which) as { id?: unknown; subject?: unknown }
  const isText = (value: unknown) => value === undefined || typeof value === 'string'
  if (!isText(id) || !isText(subject) || (id ?? subject) === undefined)
    throw new ProtocolError(
      codes.params,
      'tier.kick takes {"subject": …}, {"id": …} of a session, or both'
    )
  return { id, subject } as { id?: string; subject?: string }
}
