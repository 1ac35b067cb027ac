// The tiers under test. Each is an expression of the algebra in a file of its own.

import type * as mediasoup from 'mediasoup'

import type { Tier } from '../../lib/index.ts'
import { aggregated, aggregatedScatter, threeLevels } from './aggregated.ts'
import { horizontal } from './horizontal.ts'
import { leaf } from './leaf.ts'
import { mock } from './mock.ts'
import { shared } from './shared.ts'
import { scatter, vertical } from './vertical.ts'

export interface Surroundings {
  /** The run's copy of mediasoup. */
  mediasoup: typeof mediasoup
  /** URLs of the tiers that the adapter names in `below`. */
  below: string[]
  /** Folder with the certificate and the key that the tests use. */
  files: string
}

export interface Adapter {
  /** What is under test, for the report. */
  about: string
  /** Names of the tiers that are to run below it, each in a process of its own. */
  below?: readonly string[]
  /**
   * Whether it runs in a process of its own and is reached over a WebSocket; if not, it runs inside
   * jest.
   */
  served?: boolean
  /** How many pipes of its own may be between a Producer and a Consumer. Default 0. */
  hops?: number
  tier(surroundings: Surroundings): Tier
}

/** Where a tier is found from inside jest; this is what crosses to jest's process. */
export interface Site {
  tier: string
  /** The tier's own URL, if it runs elsewhere. */
  url?: string
  /** Its connections are cut, the first one too. */
  cut?: boolean
  below: string[]
  files: string
}

export const tiers: Readonly<Record<string, Adapter>> = {
  leaf,
  mock,
  shared,
  horizontal,
  vertical,
  scatter,
  aggregated,
  'aggregated-scatter': aggregatedScatter,
  'three-levels': threeLevels
}
