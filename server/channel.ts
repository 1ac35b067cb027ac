// What mediasoup builds its messages to a worker with, and what becomes of it when the arguments of a call are not what it expects: that
// message stays half built, and all that follow fail, also the one that closes the Worker. A pipeToRouter() that is under way then
// never settles.

import type * as ms from 'mediasoup/types'

interface Channel {
  readonly bufferBuilder: { clear(): void }
}

/** mediasoup shows it only on transports. */
async function channelOf(worker: ms.Worker): Promise<Channel | undefined> {
  const router = await worker.createRouter()
  const transport = await router.createDirectTransport()
  router.close()
  return (transport as unknown as { channelForTesting?: Channel }).channelForTesting
}

const channels = new WeakMap<object, Channel | undefined>()

/** Lets a Worker be mended. It is closed when that fails. */
export async function mendable(worker: ms.Worker): Promise<ms.Worker> {
  try {
    channels.set(worker, await channelOf(worker))
    return worker
  } catch (error) {
    worker.close()
    throw error
  }
}

/** A share of a Worker is mended as that is. */
export const mendAs = (lease: object, worker: ms.Worker) => void channels.set(lease, channels.get(worker))

/** Forgets the message that is half built, if one is: after a call, mediasoup has sent what it has built. */
export const mend = (worker: object) => channels.get(worker)?.bufferBuilder.clear()
