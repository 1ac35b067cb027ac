// Which child gets the next Worker: the one with the most free capacity.

import type { Load } from '../../lib/load.ts'

export interface Candidate {
  load: Load
  /** Workers placed since the load was reported. */
  promised: number
}

// What a Worker is expected to use until a measurement says so, in cores.
const PROMISED_CORES = 0.1

/** Orders candidates, the best first: free cores, then Workers per core. */
export const byFreeCapacity = <C extends Candidate>(candidates: C[]): C[] =>
  candidates.toSorted((one, other) => free(other) - free(one) || crowd(one) - crowd(other))

const free = ({ load, promised }: Candidate) => load.capacity - load.used - promised * PROMISED_CORES
const crowd = ({ load, promised }: Candidate) => (load.workers + promised) / Math.max(load.capacity, 1)
