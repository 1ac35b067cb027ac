// Durations that end up in a timer.

/** The longest that setTimeout() can wait, in ms: 24.8 days. A longer one would fire at once. */
export const MAX_DURATION = 2 ** 31 - 1

/**
 * Checks options in ms.
 *
 * @param least the shortest that makes sense: 0 where that means "at once"
 * @throws RangeError that names the option, its range and the value
 */
export function checkDurations(durations: Record<string, number | undefined>, least = 0) {
  for (const [name, ms] of Object.entries(durations)) {
    if (ms === undefined || (typeof ms === 'number' && ms >= least && ms <= MAX_DURATION)) continue
    throw new RangeError(
      `${name} must be from ${least} to ${MAX_DURATION} ms, which is 24.8 days (got ${typeof ms === 'number' ? ms : JSON.stringify(ms)})`
    )
  }
}

/** A duration that a peer chose, as a timer can take it. */
export const clampDuration = (ms: number) => Math.min(Math.max(ms, 0), MAX_DURATION)
