// What breaks, and when: all of it is known before it begins, so that a seed repeats it.

import { randomOf } from './random.ts'

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
  | { do: 'killWorker'; leaf: number; worker: number }
  | { do: 'killLeaf'; leaf: number; ms: number }
  | { do: 'killProxy'; proxy: number; ms: number }
  | { do: 'killClient'; client: number }

export type Step = Action & { after: number }

// Shorter than the grace period, so that nothing may end by it.
const MOST_MS = 2_000
const GAP = { least: 200, most: 1_500 }

// What loses nothing is frequent, so that there is something to lose.
const KINDS = ['cut', 'cut', 'cut', 'hang', 'slow', 'freeze', 'pause', 'pause', 'killWorker', 'killLeaf', 'killClient'] as const

export interface Scope {
  /** Proxies are crash-only: what they carry outlives them. */
  killProxies: boolean
}

/** Steps with the time after the one before, in ms; numbers of targets are taken modulo how many there are. */
export function scheduleOf(seed: number, ms: number, { killProxies }: Scope): Step[] {
  const random = randomOf(seed)
  const steps: Step[] = []
  const number = () => Math.floor(random.next() * 1_000)
  const kinds = killProxies ? [...KINDS, 'killProxy' as const] : KINDS
  for (let at = 0; ;) {
    const after = Math.round(random.between(GAP.least, GAP.most))
    at += after
    if (at > ms) return steps
    steps.push({ after, ...actionOf(random.pick(kinds)) })
  }

  function actionOf(kind: Action['do']): Action {
    const during = Math.round(random.between(100, MOST_MS))
    switch (kind) {
      case 'cut':
      case 'hang': return { do: kind, link: number() }
      case 'slow': return { do: kind, link: number(), delay: Math.round(random.between(1, 50)), rate: Math.round(random.between(50_000, 500_000)), ms: during }
      case 'freeze': return { do: kind, link: number(), ms: during }
      case 'pause': return { do: kind, tier: number(), ms: during }
      case 'killWorker': return { do: kind, leaf: number(), worker: number() }
      case 'killLeaf': return { do: kind, leaf: number(), ms: during }
      case 'killProxy': return { do: kind, proxy: number(), ms: during }
      case 'killClient': return { do: kind, client: number() }
    }
  }
}
