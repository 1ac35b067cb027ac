import { setTimeout as setTimeoutPromise } from 'node:timers/promises'

/** Rejects with a sentence when something is not so in time. */
export async function until(what: string, condition: () => boolean | Promise<boolean>, ms: number) {
  const deadline = performance.now() + ms
  while (!await inTime(what, Promise.resolve(condition()), ms)) {
    if (performance.now() > deadline) throw late(what, ms)
    await setTimeoutPromise(20)
  }
}

/** Rejects with a sentence when a promise is not settled in time. */
export async function inTime<T>(what: string, promise: Promise<T>, ms: number): Promise<T> {
  const { promise: isLate, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(late(what, ms)), ms)
  return Promise.race([promise, isLate]).finally(() => clearTimeout(timer))
}

const late = (what: string, ms: number) => new Error(`this did not come true within ${Math.round(ms / 1000)} s: ${what}`)
