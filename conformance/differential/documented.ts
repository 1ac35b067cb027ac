// Differences that are meant, each with its reason. The aim is to have none.

import type { Call } from './calls.ts'
import type { Difference } from './compare.ts'

export interface Documented {
  reason: string
  /** Names of tiers; all if it is not given. */
  tiers?: readonly string[]
  applies(difference: Difference): boolean
}

// The tiers whose Workers span several below whatever their load.
const SCATTERED = ['scatter', 'aggregated-scatter']

// V8's messages when mediasoup reads or calls something undefined.
const BY_V8 =
  /^Cannot (read|destructure) propert|is not (a function|iterable)|^Cannot (mix|convert)/

export const documented: readonly Documented[] = [
  {
    reason:
      'a message that V8 makes up tells how mediasoup is written, and a call whose arguments come in another way may fail a line later: what counts is the class',
    applies: ({ path, plain }) => path.at(-1) === 'message' && BY_V8.test(String(plain))
  },
  {
    reason: 'a host refuses what is no object of the session before mediasoup takes it apart',
    applies: ({ path, plain, tier }) =>
      path.at(-1) === 'message' &&
      String(plain).startsWith('FlatBuffers: ') &&
      /must be a \w+ of this session$/.test(String(tier))
  },
  {
    reason:
      'the channel to a Worker that others use stays open, so nobody knows which request would have been refused on it',
    tiers: ['shared'],
    applies: ({ path, plain, tier }) =>
      path.at(-1) === 'message' &&
      [plain, tier].every(message => String(message).startsWith('Channel closed, '))
  },
  {
    reason:
      'JSON has no undefined, so null stands for it on the wire: what an object keeps of an argument that is null is undefined',
    applies: ({ plain, tier }) => plain === null && tier === undefined
  },
  {
    reason:
      'a WebRtcServer listens on each Worker below that needs it, and its dump lists all of its sockets: those of one Worker first',
    tiers: SCATTERED,
    applies: ({ path: [part, how, list], plain }) =>
      part === 'outcome' &&
      how === 'resolved' &&
      (list === 'udpSockets' || list === 'tcpServers') &&
      Array.isArray(plain) &&
      plain.length === 0
  }
]

export const isDocumented = (difference: Difference, tier: string): boolean =>
  documented.some(({ tiers, applies }) => (!tiers || tiers.includes(tier)) && applies(difference))

export interface Omitted {
  reason: string
  tiers: readonly string[]
  on: string
  member: string
}

/** Calls that programs for some tiers leave out. */
export const omitted: readonly Omitted[] = [
  {
    reason:
      'a Worker that spans several below lives on when one of them is killed, and only what was on that one is closed (test/proxy/killing.test.ts)',
    tiers: SCATTERED,
    on: 'Worker',
    member: 'kill'
  }
]

export const isOmitted = ({ on, member }: Pick<Call, 'on' | 'member'>, tier: string): boolean =>
  omitted.some(each => each.tiers.includes(tier) && each.on === on && each.member === member)
