// Tags beside the appData of the parts below, which say what they are parts of: whoever has
// forgotten finds them again.

import type { Handle } from '../../lib/wire.ts'

/** What a Worker, a Router or a WebRtcServer below is a part of. */
export interface PartTag {
  of: Handle
  /** The id of the whole, which is that of its first part. */
  id?: string
  /** Of a Worker. */
  ordinal?: number
  settings?: Record<string, unknown>
  /** Of a WebRtcServer. */
  options?: Record<string, unknown>
  offset?: number
}

export const partKey = (session: string) => `${session}:part`

/**
 * Options with a tag beside their appData. What is no appData stays as it is: that is mediasoup's
 * to refuse.
 */
export function tagged(options: unknown, session: string, tag: PartTag): Record<string, unknown> {
  const given = Object(options) as Record<string, unknown>
  if (given.appData && typeof given.appData !== 'object') return options as Record<string, unknown>
  return { ...given, appData: { ...Object(given.appData), [partKey(session)]: tag } }
}
