// Differences that are meant, each with its reason. The aim is to have none.

import type { Difference } from './compare.ts'
import type { Command } from './program.ts'

export interface Documented {
  reason: string
  /** Names of tiers; all if it is not given. */
  tiers?: readonly string[]
  applies(difference: Difference, command: Command | undefined): boolean
}

export const documented: readonly Documented[] = []
