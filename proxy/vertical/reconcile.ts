// A session on a vertical tier whose client recalls nodes of which this tier knows what it has
// there: what is gone is dropped, and the client is told the rest, without the parts that it does
// not see.

import { describeError } from '../../lib/errors.ts'
import { nodeOf } from '../../lib/frame-header.ts'
import type { Entry } from '../../lib/recall.ts'
import { type Handle, encodeNotification } from '../../lib/wire.ts'
import type { SessionState } from './state.ts'
import { partKey } from './tags.ts'

export class Reconciliation {
  readonly #state: SessionState
  /** What is there of what is known. */
  readonly #there = new Map<Handle, Entry>()
  // By the client's Workers, Routers and WebRtcServers: the live members of one of their parts.
  readonly #live = new Map<Handle, Record<string, unknown>>()

  constructor(state: SessionState) {
    this.#state = state
  }

  /** What the client is told of what was told from below. */
  told(entries: Entry[]): Entry[] {
    return entries.flatMap(entry => this.#told(entry))
  }

  #told(entry: Entry): Entry[] {
    const [handle, kind, of, live, members] = entry
    const { below, pipes, session, tables } = this.#state
    this.#there.set(handle, entry)
    if (pipes.owns(handle)) return []
    const { owner } =
      tables.workerParts.get(handle) ??
      tables.routerParts.get(handle) ??
      tables.serverParts.get(handle) ??
      {}
    if (owner) {
      this.#live.set(owner.handle, live)
      return []
    }
    const appData = members?.appData as Record<string, unknown> | undefined
    // It was on its way when the tier below was replaced.
    if (appData?.[pipes.tag] !== undefined || appData?.[partKey(session)] !== undefined) {
      below.notify(`${kind}.close`, handle)
      return []
    }
    const on = tables.routerParts.get(of ?? '')?.owner.handle ?? of
    return [[handle, kind, on, live, members]]
  }

  /**
   * All that there is on these nodes was told: forgets what is not among it.
   *
   * @param onDied is told of each Worker below that is gone
   */
  done(nodes: ReadonlySet<string>, onDied: (handle: Handle, frame: string) => void) {
    const { pipes, tables } = this.#state
    const isGone = (handle: Handle) => nodes.has(nodeOf(handle)) && !this.#there.has(handle)
    pipes.reconcile(nodes, this.#there)
    for (const handle of [...tables.workerParts.keys()].filter(isGone)) {
      const error = describeError(
        new Error('the Worker was lost while the tier below was replaced')
      )
      onDied(
        handle,
        encodeNotification('Worker.died', [handle, null, { $: 'error', ...error }]) as string
      )
    }
    for (const handle of [...tables.objects.handles()].filter(isGone)) tables.objects.remove(handle)
  }

  /** The client's own Workers, Routers and WebRtcServers; parents first. */
  *own(): Generator<Entry> {
    const { tables } = this.#state
    const live = (handle: Handle) => this.#live.get(handle) ?? {}
    for (const handle of tables.workers.keys()) yield [handle, 'Worker', null, live(handle)]
    for (const { handle, worker } of tables.routers.values())
      yield [handle, 'Router', worker.handle, live(handle)]
    for (const { handle, worker } of tables.servers.values())
      yield [handle, 'WebRtcServer', worker.handle, live(handle)]
  }
}
