// One question to the tier at a URL, on a session of its own.

import { remote } from '../client/index.ts'
import { headerOf } from '../lib/wire.ts'
import { RpcClient } from '../proxy/rpc-client.ts'
import { type AccessOptions, accessOf } from './access.ts'

export async function ask(
  url: string,
  access: AccessOptions,
  method: string,
  ...params: unknown[]
): Promise<unknown> {
  const link = await remote(url, accessOf(access)).open()
  const caller = new RpcClient(link, { name: url })
  link.on('frame', frame => void caller.takes(headerOf(frame)?.id, frame))
  try {
    return await caller.call(method, ...params)
  } finally {
    link.close()
  }
}
