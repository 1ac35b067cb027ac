import { setTimeout as setTimeoutPromise } from 'node:timers/promises'

/** Rejects with a sentence when something is not so in time. */
export async function until(what: string, condition: () => boolean | Promise<boolean>, ms: number) {
  const deadline = performance.now() + ms
  while (!await condition()) {
    if (performance.now() > deadline) throw new Error(`this did not come true within ${ms / 1000} s: ${what}`)
    await setTimeoutPromise(20)
  }
}
