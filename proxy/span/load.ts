// What a Worker below carries, and is about to.

import { expectedLoad } from '../placement/expected-load.ts'
import type { SpanningRouter, WorkerPart } from './span.ts'

/** How many transports of a Router are, or are about to be, on a Worker. */
export function count(router: SpanningRouter, worker: WorkerPart, by: number) {
  router.counts.set(worker, (router.counts.get(worker) ?? 0) + by)
}

/** Reserves what one more transport or Consumer will cost, until a measurement covers it. */
export function promise(worker: WorkerPart) {
  const { used, measured } = worker
  worker.promised += expectedLoad({ used, objects: measured })
}
