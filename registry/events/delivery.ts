// The delivery of one event: attempts with longer and longer waits, until it is taken, the receiver
// wants it no more, or it is too old.

import { setTimeout as sleep } from 'node:timers/promises'
import type { LimitFunction } from 'p-limit'
import pRetry from 'p-retry'
import { type NotTaken, type Receiver, attempt } from './receiver.ts'

export interface DeliveryOptions {
  receiver: Receiver
  /** The age at which an event is given up, in ms. */
  giveUp: number
  /** The first wait before another attempt, and the longest, in ms. */
  backoff: readonly [first: number, longest: number]
  /** Bounds the attempts under way, and not the events that wait for another one. */
  limit: LimitFunction
  signal: AbortSignal
  onFailure(error: Error): void
}

/**
 * Answers false if the signal ends it before the event is taken.
 *
 * @throws Error why it is given up
 */
export async function deliver(body: string, options: DeliveryOptions): Promise<boolean> {
  const { receiver, giveUp, limit, signal, onFailure } = options
  const [minTimeout, maxTimeout] = options.backoff
  // By its own time, whichever registry had it before.
  const { id, time } = JSON.parse(body) as { id: string; time: string }
  const deadline = Date.parse(time) + giveUp
  let isTaken = false
  const tryOnce = async () => {
    signal.throwIfAborted()
    await attempt(id, body, receiver)
    isTaken = true
  }
  try {
    await pRetry(() => limit(tryOnce), {
      retries: Infinity,
      randomize: true,
      minTimeout,
      maxTimeout,
      signal,
      onFailedAttempt: ({ error }) => onFailure(error),
      shouldRetry: ({ error }) => mayRetry(error as NotTaken, deadline, signal)
    })
  } catch (error) {
    if (!isTaken && !signal.aborted) throw error
  }
  return isTaken
}

async function mayRetry({ isFinal, pause }: NotTaken, deadline: number, signal: AbortSignal) {
  if (isFinal || !(Date.now() + pause < deadline)) return false
  await sleep(pause, undefined, { signal })
  return true
}
