// What breaks, and when: all of it is known before it begins, so that a seed repeats it.

import { Random } from '../../conformance/fuzz/random.ts'

export type Action =
  /** Breaks all connections of a link. */
  | { do: 'cut'; link: number }
  /** Its connections stay open, and nothing passes any more; new ones work. */
  | { do: 'hang'; link: number }
  /** Chunks of bytes take longer, and few pass. */
  | { do: 'slow'; link: number; delay: number; rate: number; ms: number }
  /** Nothing passes for a while, also on new ones. */
  | { do: 'freeze'; link: number; ms: number }
  | { do: 'pause'; tier: number; ms: number }
  /** Of the network of a host, where hosts are on one: media, pipes and calls. */
  | { do: 'unplug'; leaf: number; ms: number }
  | { do: 'killWorker'; leaf: number; worker: number }
  | { do: 'killLeaf'; leaf: number; ms: number }
  | { do: 'killProxy'; proxy: number; ms: number }
  | { do: 'killClient'; client: number }

export type Fault = Action['do']
export type Step = Action & { after: number }

// What loses nothing is frequent, so that there is something to lose.
const WEIGHTS: Record<Fault, number> = {
  cut: 3,
  hang: 1,
  slow: 1,
  freeze: 1,
  pause: 2,
  unplug: 1,
  killWorker: 1,
  killLeaf: 1,
  killProxy: 1,
  killClient: 1
}
export const faults = Object.keys(WEIGHTS) as Fault[]

// Shorter than the grace period, so that nothing may end by it.
const MOST_MS = 2_000
// Of media that nothing killed, no more is lost than a flow may miss, with the time in which hosts
// find each other again.
const MOST_UNPLUGGED_MS = 1_000

export interface Scope {
  faults: readonly Fault[]
  perMinute: number
}

/**
 * Steps with the time after the one before, in ms; numbers of targets are taken modulo how many
 * there are.
 */
export function scheduleOf(seed: number, ms: number, { faults, perMinute }: Scope): Step[] {
  const random = new Random(seed)
  const steps: Step[] = []
  const kinds = faults.flatMap(fault => Array<Fault>(WEIGHTS[fault]).fill(fault))
  const gap = 60_000 / perMinute
  for (let at = 0; ; ) {
    const after = Math.round(random.between(0.2 * gap, 1.8 * gap))
    at += after
    if (at > ms) return steps
    steps.push({ after, ...actionOf(random.pick(kinds), random) })
  }
}

function actionOf(fault: Fault, random: Random): Action {
  const number = () => random.below(1_000)
  const ms = Math.round(random.between(100, MOST_MS))
  switch (fault) {
    case 'cut':
    case 'hang':
      return { do: fault, link: number() }
    case 'slow':
      return {
        do: fault,
        link: number(),
        delay: Math.round(random.between(1, 50)),
        rate: Math.round(random.between(50_000, 500_000)),
        ms
      }
    case 'freeze':
      return { do: fault, link: number(), ms }
    case 'pause':
      return { do: fault, tier: number(), ms }
    case 'unplug':
      return { do: fault, leaf: number(), ms: Math.min(ms, MOST_UNPLUGGED_MS) }
    case 'killWorker':
      return { do: fault, leaf: number(), worker: number() }
    case 'killLeaf':
      return { do: fault, leaf: number(), ms }
    case 'killProxy':
      return { do: fault, proxy: number(), ms }
    case 'killClient':
      return { do: fault, client: number() }
  }
}
