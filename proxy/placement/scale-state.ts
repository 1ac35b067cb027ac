// What is remembered from one decision about the number of hosts to the next: who is starting, how long
// that takes, and how much was needed of late.

import type { ScaleOptions, Situation } from './scale-options.ts'

// How far the time for a host to start grows when none comes.
const MOST_DOUBLINGS = 4
// How much a warm-up counts against those before.
const LEARNED = 0.3

export interface ScaleState {
  /** When it began. */
  since: number
  /** When those that are starting were asked for, the oldest first. */
  starts: readonly number[]
  asked: number
  /** How many starts in a row have timed out. */
  late: number
  warmup?: number
  /** Cores of a new host. */
  size: number
  /** The need over the last `quiet` ms: what later ones have exceeded is left out. */
  peaks: readonly Peak[]
  /** The names of those that have been there, and still should be. */
  seen: ReadonlySet<string>
}

interface Peak {
  at: number
  cores: number
}

export const beginScaling = (at: number): ScaleState => ({
  since: at,
  starts: [],
  asked: 0,
  late: 0,
  size: 1,
  peaks: [],
  seen: new Set()
})

/** What has come, what takes too long, and the most that was needed of late. */
export function observe(
  before: ScaleState,
  { hosts, unreachable, at }: Situation,
  cores: number,
  { quiet, startTimeout }: ScaleOptions
): ScaleState {
  const state = { ...before }
  const known = hosts.filter(host => host.known && !host.draining)
  const come = hosts.filter(({ name }) => !before.seen.has(name)).length
  const [arrived, awaited] = [before.starts.slice(0, come), before.starts.slice(come)]
  for (const asked of arrived) {
    const took = at - asked
    state.warmup = Math.round((state.warmup ?? took) * (1 - LEARNED) + took * LEARNED)
    state.late = 0
  }
  const patience = startTimeout * 2 ** Math.min(state.late, MOST_DOUBLINGS)
  state.starts = awaited.filter(asked => at - asked < patience)
  if (state.starts.length < awaited.length) state.late++
  const back = unreachable.filter(name => before.seen.has(name))
  state.seen = new Set([...hosts.map(({ name }) => name), ...back])
  if (known.length) state.size = Math.max(1, Math.min(...known.map(({ capacity }) => capacity)))
  const peaks = before.peaks.filter(peak => peak.cores > cores && at - peak.at <= quiet)
  state.peaks = [...peaks, { at, cores }]
  return state
}
