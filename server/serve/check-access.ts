// What a token, or a certificate, allows.

import { AccessError, codes } from '../../lib/errors.ts'
import type { CallHead, Frame } from '../../lib/frame.ts'
import { scopeOf } from '../../lib/scopes.ts'
import { decode } from '../../lib/wire.ts'
import type { Grant } from './tokens.ts'

/** @throws AccessError for what it does not allow, or does not allow any more */
export function checkAccess(grant: Grant, head: CallHead, frame: Frame) {
  const { scopes, expires } = grant
  const { id, method } = head
  const scope = speaksForOthers(head, frame) ? 'operate' : scopeOf(method)
  if (!scope) return
  if (!scopes.has(scope))
    throw new AccessError(
      codes.forbidden,
      `${method} needs the scope ${scope}, and the ${grant.of} has ${[...scopes].join(', ') || 'none'}`
    )
  // What nobody waits for goes on in the grace: the client may have closed an object, and believes
  // that it is.
  if (id !== undefined && Date.now() > expires)
    throw new AccessError(
      codes.unauthenticated,
      `the token has expired: renew it with tier.authenticate before ${method}`
    )
}

/**
 * A tier whose name is among those that are said to be above is refused, as a child of itself: for
 * all.
 */
function speaksForOthers(head: CallHead, frame: Frame): boolean {
  if (head.method !== 'tier.hello') return false
  const {
    params: [hello]
  } = decode(frame, head) as unknown as { params: unknown[] }
  return (Object(hello) as { via?: unknown }).via !== undefined
}
