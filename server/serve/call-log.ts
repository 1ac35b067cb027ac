// Each call as a line of the log, at the level debug: with the names of its session, its id and its
// trace, which are the same on all tiers that it goes through.

import type { Logger } from 'pino'
import type { CallHead, Head, Id } from '../../lib/frame.ts'
import type { CallWatch, WatchedCall } from './call-watch.ts'
import { failureIn } from './failure.ts'

// Clients choose ids and methods.
const MAX_LENGTH = 64

/** @param next is told as well */
export const watchCalls = (
  logger: Logger,
  names: { session: string; entry?: string },
  next?: CallWatch
): CallWatch | undefined =>
  logger.isLevelEnabled('debug') ? new CallLog(logger.child(names), next) : next

class CallLog implements CallWatch {
  readonly #logger: Logger
  readonly #next: CallWatch | undefined

  constructor(logger: Logger, next?: CallWatch) {
    this.#logger = logger
    this.#next = next
  }

  received() {
    this.#next?.received()
  }

  sent() {
    this.#next?.sent()
  }

  asked(head: CallHead): WatchedCall {
    const next = this.#next?.asked(head)
    const facts = factsOf(head)
    return {
      answered: (frame, id, ms) => {
        next?.answered(frame, id, ms)
        const error = failureIn(frame, id)
        this.#logger.debug({ ...facts, ms: Math.round(ms * 10) / 10, error }, 'call')
      },
      lost: () => {
        next?.lost()
        this.#logger.debug(facts, 'a call was not answered')
      }
    }
  }

  refused(head: Head | undefined, error: unknown) {
    this.#next?.refused(head, error)
    const { code } = Object(error) as { code?: number }
    this.#logger.debug({ ...(head && factsOf(head)), error: code }, 'a message was refused')
  }
}

const factsOf = ({ id, method, trace }: Head) => ({
  call: shorten(id),
  method: shorten(method),
  trace: trace && traceIdOf(trace)
})

const shorten = <T extends Id | null | undefined>(value: T) =>
  typeof value === 'string' ? value.slice(0, MAX_LENGTH) : value

/** Of `00-<trace>-<span>-<flags>`. */
const traceIdOf = (trace: string) => trace.split('-')[1]
