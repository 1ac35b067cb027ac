// What is refused of a session's messages. Each refusal is paid for as a message is; who does nothing
// else for long is not a client that went wrong once.

import { AccessError, LimitError, codes } from '../../lib/errors.ts'
import { TokenBucket } from './token-bucket.ts'

// So many messages that no client should send, in a second, for as long as somebody likes,
const PER_SECOND = 100
// and at once what comes in so many seconds.
const SECONDS = 100

// Who asks for more than there is meets a limit now and then, and may try again.
const OF_LIMITS = 1 / 64

export class Offences {
  readonly #bucket = new TokenBucket(SECONDS)

  /** Why the session is to end, if it is. */
  add(error: unknown): LimitError | undefined {
    const weight = weightOf(error)
    if (!weight || this.#bucket.take(PER_SECOND, weight)) return undefined
    return new LimitError(
      codes.rate,
      `the messages of a session are refused at most ${PER_SECOND * SECONDS} times in a row, and ${PER_SECOND} per second`
    )
  }
}

function weightOf(error: unknown): number {
  if (error instanceof LimitError) return OF_LIMITS
  // A token that has expired is being renewed.
  return error instanceof AccessError && error.code === codes.unauthenticated ? 0 : 1
}
