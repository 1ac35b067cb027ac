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

type Place = Omit<Difference, 'step'>

// The outcome of a call says most; state is what is left in the end.
function* compareSteps(plain: Step, tier: Step): Generator<Place> {
  for (const part of ['target', 'outcome', 'cascade', 'streams', 'state'] as const) yield* differ([part], plain[part], tier[part])
}

function* differ(path: string[], plain: unknown, tier: unknown): Generator<Place> {
  if (isDeepStrictEqual(plain, tier)) return
  if (Array.isArray(plain) && Array.isArray(tier)) return yield* differInList(path, plain, tier)
  if (!isObject(plain) || !isObject(tier)) return yield { path, plain, tier }
  for (const key of new Set([...Object.keys(plain), ...Object.keys(tier)])) yield* differ([...path, key], plain[key], tier[key])
}

// What comes after the first item that differs is of no use when items are missing or in another order.
function* differInList(path: string[], plain: unknown[], tier: unknown[]): Generator<Place> {
  if (plain.length !== tier.length || plain.every(item => typeof item !== 'object')) return yield { path, plain, tier }
  for (const [i, item] of plain.entries()) yield* differ([...path, String(i)], item, tier[i])
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)
