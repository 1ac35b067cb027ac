// Differences that are meant, each with its reason. The aim is to have none.

import type { Difference } from './compare.ts'

export interface Documented {
  reason: string
  /** Names of tiers; all if it is not given. */
  tiers?: readonly string[]
  applies(difference: Difference): boolean
}

// What V8 says when mediasoup takes apart, or calls, what is not there.
const BY_V8 = /^Cannot (read|destructure) propert|is not (a function|iterable)|^Cannot (mix|convert)/

export const documented: readonly Documented[] = [
  {
    reason: 'a message that V8 makes up tells how mediasoup is written, and a call whose arguments come in another way may fail a line later: what counts is the class',
    applies: ({ path, plain }) => path.at(-1) === 'message' && BY_V8.test(String(plain))
  },
  {
    reason: 'a host refuses what is no object of the session before mediasoup takes it apart',
    applies: ({ path, plain, tier }) => path.at(-1) === 'message' && String(plain).startsWith('FlatBuffers: ') && /must be a \w+ of this session$/.test(String(tier))
  },
  {
    reason: 'JSON has no undefined, so null stands for it on the wire: what an object keeps of an argument that is null is undefined',
    applies: ({ plain, tier }) => plain === null && tier === undefined
  }
]

export const isDocumented = (difference: Difference, tier: string): boolean =>
  documented.some(({ tiers, applies }) => (!tiers || tiers.includes(tier)) && applies(difference))
