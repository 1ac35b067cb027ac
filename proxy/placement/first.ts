// Which child gets the next Worker: the first one by name that has room, so that the last ones run
// empty, and can be taken away. That is the order in which Kubernetes adds and removes the Pods of a
// StatefulSet.

import { type Candidate, mostFree } from './most-free.ts'

export interface NamedCandidate extends Candidate {
  name: string
}

// The part of its cores up to which a host is filled, while another one has room.
const WATERMARK = 0.6

// media-2 comes before media-10.
const { compare } = new Intl.Collator('en', { numeric: true })

/** Which of two is better, as a comparator. Those without room are in the order of `most-free`. */
export function first(one: NamedCandidate, other: NamedCandidate): number {
  if (hasRoom(one) && hasRoom(other)) return compare(one.name, other.name)
  return Number(hasRoom(other)) - Number(hasRoom(one)) || mostFree(one, other)
}

/** Whether it is below the watermark, and has a core without a Worker, unless Workers are shared. */
function hasRoom({ load, promised }: NamedCandidate): boolean {
  const { capacity, used, shared, workers } = load
  return used < WATERMARK * capacity && (shared > 0 || workers + promised < capacity)
}
