import { DrainingError } from '../../lib/errors.ts'
import type { Knowledge } from './knowledge.ts'
import type { Produced, WorkerPart } from './span.ts'

/** Brings a Producer to a Worker that is to refuse another one of the same id, as one Worker would. */
export async function bring({ growth, replicas }: Knowledge, produced: Produced, worker: WorkerPart) {
  try {
    const replica = replicas.hold(produced, await growth.routerOn(produced.at.part.owner, worker))
    await replica.ready.finally(() => replicas.release(replica))
  } catch (error) {
    if (error instanceof DrainingError) throw error
    // It is gone, and so its id is free.
  }
}
