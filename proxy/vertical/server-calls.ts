// Calls of the client's WebRtcServers: there is one on each Worker that needs it.

import type * as ms from 'mediasoup/types'
import type { Announcement } from '../../lib/codec.ts'
import type { Frame } from '../../lib/tier.ts'
import { type CallHead, type Replies, paramsOf, refuseUnknown, unknownMethod } from '../session.ts'
import { mergeServerDumps } from './dumps.ts'
import { renamed } from './frames.ts'
import type { SessionState } from './state.ts'
import type { AggregateWorker } from './types.ts'

type Options = Record<string, unknown>

export class ServerCalls {
  readonly #state: SessionState
  readonly #replies: Replies

  constructor(state: SessionState, replies: Replies) {
    this.#state = state
    this.#replies = replies
  }

  async create(worker: AggregateWorker, options: Options): Promise<Announcement> {
    const { builder, nextHandle, scaler, tables } = this.#state
    const handle = nextHandle()
    let offset = 0
    const { home, announcement } = await scaler.makeAtHome(worker, async home => {
      const made = await builder.createServer(home, handle, options)
      offset = made.offset
      return made.announcement
    })
    tables.addServer(handle, announcement, home, options).parts.on(home)!.offset = offset
    return { ...announcement, $: handle, of: worker.handle }
  }

  call(head: CallHead) {
    const { id, method, handle } = head
    const { below, tables } = this.#state
    const server = tables.server(handle!)
    if (!server) return refuseUnknown(head)
    const { parts } = server
    switch (method) {
      case 'WebRtcServer.close': {
        for (const part of parts.ready) below.notify(method, part.handle)
        tables.closeServer(server)
        return this.#replies.answer(id, null)
      }
      case 'WebRtcServer.dump': {
        // That which is closed still says what mediasoup says.
        if (!parts.ready.length) return below.forward(head, method, [parts.home!.handle])
        const dumps = Promise.all(parts.ready.map(part => below.call(method, part.handle)))
        return this.#replies.settle(
          id,
          dumps.then(dumps => mergeServerDumps(dumps as ms.WebRtcServerDump[], server.id))
        )
      }
      default:
        throw unknownMethod(method)
    }
  }

  happened({ handle }: CallHead, frame: Frame) {
    const { tables } = this.#state
    const server = tables.serverParts.get(handle!)?.owner
    if (!server) return
    const transport = paramsOf(frame)[2] as Announcement | undefined
    const part = tables.routerParts.get(transport?.of ?? '')
    if (part) tables.objects.addTransport(part, transport!.$, transport!.kind)
    const text = (frame as string).replace(`"params":["${handle}"`, `"params":["${server.handle}"`)
    this.#replies.tell(part ? renamed(text, part) : text)
  }
}
