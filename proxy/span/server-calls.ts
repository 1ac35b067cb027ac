// Calls of the client's WebRtcServers: there is one on each Worker that needs it.

import type * as ms from 'mediasoup/types'
import type { Announcement } from '../../lib/codec.ts'
import type { Frame } from '../../lib/tier.ts'
import { type CallHead, type Replies, paramsOf, unknownMethod } from '../session.ts'
import { mergeServerDumps } from './dumps.ts'
import { renamed } from './frames.ts'
import type { Knowledge } from './knowledge.ts'
import type { SpanningServer, SpanningWorker } from './span.ts'
import { tagged } from './tags.ts'

type Options = Record<string, unknown>

export class ServerCalls {
  readonly #known: Knowledge
  readonly #replies: Replies

  constructor(known: Knowledge, replies: Replies) {
    this.#known = known
    this.#replies = replies
  }

  async create(worker: SpanningWorker, options: Options): Promise<Announcement> {
    const { below, growth, nextHandle, session, spans } = this.#known
    const home = await growth.homeOf(worker)
    const handle = nextHandle()
    const { appData: _, ...shared } = Object(options) as Options
    const announcement = await below.call('Worker.createWebRtcServer', home.handle, tagged(options, session, { of: handle, options: shared })) as Announcement
    const server = spans.addServer(handle, worker, home, options, announcement)
    return { ...announcement, $: server.handle, of: worker.handle }
  }

  call(server: SpanningServer, { id, method }: CallHead) {
    const { below, spans } = this.#known
    // Closed with its Worker: that part still says what mediasoup says.
    if (server.worker.closing && !server.parts.size) return below.forward(id, method, [server.home])
    const each = async (member: string) => Promise.all((await Promise.all(server.parts.values())).map(part => below.call(`WebRtcServer.${member}`, part)))
    switch (method) {
      case 'WebRtcServer.close': {
        for (const part of spans.closeServer(server)) below.notify(method, part)
        return this.#replies.answer(id, null)
      }
      case 'WebRtcServer.dump': return this.#replies.settle(id, each('dump').then(dumps => mergeServerDumps(dumps as ms.WebRtcServerDump[], server.id)))
      default: throw unknownMethod(method)
    }
  }

  partHappened({ handle }: CallHead, frame: Frame) {
    const { spans } = this.#known
    const server = spans.serverParts.get(handle!)
    if (!server) return
    const transport = paramsOf(frame)[2] as Announcement | undefined
    const part = spans.routerParts.get(transport?.of ?? '')
    if (part) spans.objects.addPlaced(part, transport!.$, transport!.kind)
    const text = (frame as string).replace(`"params":["${handle}"`, `"params":["${server.handle}"`)
    this.#replies.tell(part ? renamed(text, part) : text)
  }
}
