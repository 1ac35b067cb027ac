// An id is unique in an application's Worker, and so in all of its parts.

import { DrainingError } from '../../lib/errors.ts'
import type { SessionState } from './state.ts'
import type { ProducerRecord, WorkerPart } from './types.ts'

/**
 * Pipes a Producer to a Worker, so that mediasoup refuses another one of the same id there, as one
 * Worker would.
 */
export async function claimId(
  { builder, replicas }: SessionState,
  producer: ProducerRecord,
  worker: WorkerPart
) {
  try {
    const replica = replicas.hold(
      producer,
      await builder.routerOn(producer.at.part.owner, worker).promise
    )
    await replica.ready.finally(() => replicas.release(replica))
  } catch (error) {
    if (error instanceof DrainingError) throw error
    // It is gone, and so its id is free.
  }
}
