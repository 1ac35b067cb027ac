// Who is told of the calls of a session as they pass: metrics, and the log.

import type { CallHead, Head, Id } from '../../lib/frame.ts'

export interface CallWatch {
  /** A message of the client came. */
  received(): void
  /** A message to the client leaves. */
  sent(): void
  /** A request goes to the tier. */
  asked(head: CallHead): WatchedCall
  /** A message was not passed on. */
  refused(head: Head | undefined, error: unknown): void
}

/** A request that was not answered yet. */
export interface WatchedCall {
  answered(frame: string, id: Id, ms: number): void
  /** It will not be. */
  lost(): void
}
