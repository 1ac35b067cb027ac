// The first difference between two transcripts.

import { isDeepStrictEqual } from 'node:util'
import type { Step, Transcript } from './execute.ts'

export interface Difference {
  /** Index of the step: 0 is the stage, 1 the first call. */
  step: number
  /** What differs: `outcome.rejected.message`, `state.worker1/router1.closed`, … */
  path: string[]
  plain: unknown
  tier: unknown
}

export function* compare(plain: Transcript, tier: Transcript): Generator<Difference> {
  for (const [step, expected] of plain.entries()) {
    for (const difference of compareSteps(expected, tier[step]!)) yield { step, ...difference }
  }
}

const SHOWN = 5

type Place = Omit<Difference, 'step'>

// The outcome of a call tells most about a difference, and state tells least.
function* compareSteps(plain: Step, tier: Step): Generator<Place> {
  for (const part of ['target', 'outcome', 'cascade', 'streams', 'state'] as const)
    yield* differ([part], plain[part], tier[part])
}

function* differ(path: string[], plain: unknown, tier: unknown): Generator<Place> {
  if (isDeepStrictEqual(plain, tier)) return
  if (Array.isArray(plain) && Array.isArray(tier)) return yield* differInList(path, plain, tier)
  if (!isObject(plain) || !isObject(tier)) return yield { path, plain, tier }
  for (const key of new Set([...Object.keys(plain), ...Object.keys(tier)]))
    yield* differ([...path, key], plain[key], tier[key])
}

// Items that are missing, or in another order: from the first that differs.
function* differInList(path: string[], plain: unknown[], tier: unknown[]): Generator<Place> {
  const first = plain.findIndex((item, i) => !isDeepStrictEqual(item, tier[i]))
  const at = first === -1 ? plain.length : first
  if (plain.length === tier.length && typeof plain[at] === 'object')
    return yield* differ([...path, String(at)], plain[at], tier[at])
  yield {
    path: [...path, String(at), '…'],
    plain: plain.slice(at, at + SHOWN),
    tier: tier.slice(at, at + SHOWN)
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
