// To wait for a condition or a promise. What comes true ends the wait at once, so the bound may be
// generous: it is there for what never comes, and not for a machine that is busy.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import pTimeout from 'p-timeout'
import pWaitFor from 'p-wait-for'

const SECONDS = 60
const INTERVAL_MS = 5

type Maybe<T> = T | undefined | false

/** Polls a condition until it is true, or something. */
export function until<T>(
  condition: () => Maybe<T> | Promise<Maybe<T>>,
  seconds = SECONDS,
  what = String(condition)
) {
  const message = late(what, seconds)
  const check = async () => {
    const value = await condition()
    return value ? pWaitFor.resolveWith(value) : false
  }
  // A condition may be a promise that never settles.
  const polled = pWaitFor(check, {
    interval: INTERVAL_MS,
    timeout: { milliseconds: Math.ceil(seconds * 1000), message }
  })
  return within(polled, seconds, what)
}

/** Rejects with a sentence when a promise is not settled in time. */
export function within<T>(promise: PromiseLike<T>, seconds: number, what: string): Promise<T> {
  return pTimeout(promise, { milliseconds: seconds * 1000, message: late(what, seconds) })
}

const late = (what: string, seconds: number) =>
  new Error(`this did not come true within ${seconds} s: ${what}`)

// What starting and ending a process that does nothing takes at most on a machine that is idle.
const IDLE_MS = 100

/**
 * By how much a time that a test has to name has to be longer here and now: 1 on an idle machine.
 */
export async function slowness(): Promise<number> {
  const begin = performance.now()
  await once(spawn(process.execPath, ['-e', '0']), 'exit')
  return Math.max(1, (performance.now() - begin) / IDLE_MS)
}
