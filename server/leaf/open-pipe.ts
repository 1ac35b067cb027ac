// tier.openPipe: the end of a pipe, and on it the Consumer of what is to cross, in one call.

import type * as ms from 'mediasoup/types'
import type { PipeListenInfo } from '../../lib/hello.ts'
import type { MediasoupObject } from './served-object.ts'

export const OPEN_PIPE = 'tier.openPipe'

type Consuming = (ms.ConsumerOptions & ms.DataConsumerOptions) | undefined

/** What the call makes beside the transport. */
export interface Opened {
  consumer?: ms.Consumer | ms.DataConsumer
}

/** The end is where the host takes pipes from other hosts, unless the options say where. */
export function listenForPipe(args: unknown[], { loopback: _, ...listenInfo }: PipeListenInfo) {
  const options = Object(args[0]) as Partial<ms.PipeTransportOptions>
  args[0] = options.listenInfo || options.listenIp ? options : { ...options, listenInfo }
}

/**
 * @param creating the appData of what is being made
 * @param close ends a transport on which nothing can be consumed
 */
export async function openPipe(
  router: ms.Router,
  [options, consuming]: readonly unknown[],
  opened: Opened,
  creating: Set<unknown>,
  close: (transport: MediasoupObject) => void
): Promise<ms.PipeTransport> {
  const transport = await router.createPipeTransport(options as ms.PipeTransportOptions)
  if (!consuming) return transport
  const settings = consuming as NonNullable<Consuming>
  const appData = (settings.appData ??= {})
  creating.add(appData)
  try {
    opened.consumer = await (settings.dataProducerId === undefined
      ? transport.consume(settings)
      : transport.consumeData(settings))
    return transport
  } catch (error) {
    close(transport as unknown as MediasoupObject)
    throw error
  } finally {
    creating.delete(appData)
  }
}
