// Which child gets the next Worker: the one with the most free capacity.

import type { Load } from '../../lib/load.ts'

export interface Candidate {
  load: Load
  /** Workers placed on it that its load does not count yet. */
  promised: number
}

// What a Worker is expected to use until a measurement says so, in cores.
export const PROMISED_CORES = 0.1

/**
 * Which of two is better, as a comparator: one that has any cores to give, for what drains has
 * none; then one with a core that has no Worker, then free cores, then Workers per core.
 */
export const mostFree = (one: Candidate, other: Candidate): number =>
  Number(isClosed(one)) - Number(isClosed(other)) ||
  Number(isFull(one)) - Number(isFull(other)) ||
  free(other) - free(one) ||
  crowd(one) - crowd(other)

const workers = ({ load, promised }: Candidate) => load.workers + promised
const isClosed = ({ load }: Candidate) => load.capacity === 0
const isFull = (candidate: Candidate) => workers(candidate) >= candidate.load.capacity
const free = ({ load, promised }: Candidate) =>
  load.capacity - load.used - promised * PROMISED_CORES
const crowd = (candidate: Candidate) => workers(candidate) / Math.max(candidate.load.capacity, 1)
