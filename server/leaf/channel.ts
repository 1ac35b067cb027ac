// A Worker has one builder for the messages to its process. A call whose arguments mediasoup cannot
// encode leaves a half-built message there, and on plain mediasoup all later calls on that Worker
// fail, those of other sessions included. Here a half-built message ends with the call that began
// it.

import type * as ms from 'mediasoup/types'

/** The part of flatbuffers' Builder that is needed. */
interface Builder {
  /** A table was begun, and not ended. */
  isNested: boolean
  clear(): void
  /** Called before each table and vector; throws if a table was begun, and not ended. */
  notNested(): void
  /** Writes the byte that ends the string before it calls notNested(). */
  createString(text: string): number
}

/**
 * Lets each message of a Worker begin with an empty builder. The Worker is closed when that fails.
 */
export async function isolateMessages(worker: ms.Worker): Promise<ms.Worker> {
  const builder = await builderOf(worker)
  if (!builder) {
    worker.close()
    throw new Error(
      'mediasoup must encode its messages with a flatbuffers Builder, and this version does not'
    )
  }
  let begun = false
  const end = () => {
    begun = false
    builder.clear()
  }
  const createString = builder.createString.bind(builder)
  // mediasoup encodes and sends a message synchronously. So what is still begun, when another
  // message begins or when the microtask runs, belongs to a call that has failed.
  builder.notNested = () => {
    if (builder.isNested) builder.clear()
    if (begun) return
    begun = true
    queueMicrotask(end)
  }
  builder.createString = text => {
    builder.notNested()
    return createString(text)
  }
  return worker
}

/**
 * flatbuffers lets each item of a list encode itself, and gives it the builder. This one sends
 * nothing.
 */
async function builderOf(worker: ms.Worker): Promise<Builder | undefined> {
  let builder: Builder | undefined
  const item = {
    pack(given: Builder) {
      builder = given
      throw new Error('the builder was found')
    }
  }
  // As meant.
  await worker.updateSettings({ logTags: [item as unknown as ms.WorkerLogTag] }).catch(() => {})
  builder?.clear()
  return builder
}
