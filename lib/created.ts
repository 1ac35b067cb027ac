// Which object the answer to a `create` names, read from the first bytes of its result; and which
// one an event announces.

import type { Announcement } from './codec.ts'
import { detachString } from './frame-header.ts'
import type { Frame, Handle } from './frame.ts'
import { decode } from './wire.ts'

export interface Created {
  handle: Handle
  /** Where this is its announcement, and not a reference to what an event has announced before. */
  kind?: string
  /** To look up, not to keep: it may be a view of the frame. */
  of?: Handle
}

const RESULT =
  /^\{"jsonrpc":"2\.0","id":(?:[^",]+|"(?:[^"\\]|\\.)*"),"result":\{"\$":"([^"\\]+)"(?:\}|,"kind":"([^"\\]+)"(?:,"of":"([^"\\]+)")?)/

/** Undefined for an error, or a result of another kind. */
export function createdBy(answer: Frame): Created | undefined {
  if (typeof answer !== 'string') return undefined
  const [, handle, kind, of] = RESULT.exec(answer) ?? []
  if (handle !== undefined && (kind === undefined || kind === 'Worker' || of !== undefined)) {
    return { handle: detachString(handle), kind, of }
  }
  return answer.includes('"$"') ? parsed(answer) : undefined
}

/** Its JSON is written in another way. */
function parsed(answer: string): Created | undefined {
  const { result } = decoded(answer) as { result?: unknown }
  return createdIn(result)
}

/**
 * What an event with the effect `announces` names: an announcement, or a reference to what is known
 * already.
 */
export function announcedBy(event: Frame): Created | undefined {
  const { params = [] } = decoded(event) as { params?: unknown[] }
  return createdIn(params[2])
}

function createdIn(value: unknown): Created | undefined {
  const { $, kind, of } = Object(value) as Partial<Announcement>
  return typeof $ === 'string' ? { handle: $, kind, of } : undefined
}

// What a tier below sends may be no message; whoever it is for finds out.
function decoded(frame: Frame): object {
  try {
    return decode(frame)
  } catch {
    return {}
  }
}
