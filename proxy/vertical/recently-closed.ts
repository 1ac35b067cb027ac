// Recently closed objects, so that a late call gets mediasoup's own error and not "not found". A
// tier has one cache for all of its sessions, each of which sees its own objects only.

import { LRUCache } from 'lru-cache'
import type { Handle } from '../../lib/wire.ts'
import type { AggregateRouter, AggregateServer, AggregateWorker, HostedTransport } from './types.ts'

interface Kinds {
  Worker: AggregateWorker
  Router: AggregateRouter
  WebRtcServer: AggregateServer
  transport: HostedTransport
}

interface Entry {
  session: RecentlyClosed
  kind: keyof Kinds
  object: Kinds[keyof Kinds]
}

export type ClosedCache = LRUCache<Handle, Entry>

// Closed objects keep what they had, so they are not kept for long.
export const newClosedCache = (): ClosedCache =>
  new LRUCache({ max: 500, ttl: 10_000, ttlAutopurge: true })

export class RecentlyClosed {
  readonly #cache: ClosedCache

  constructor(cache: ClosedCache) {
    this.#cache = cache
  }

  add<K extends keyof Kinds>(kind: K, object: Kinds[K]) {
    this.#cache.set(object.handle, { session: this, kind, object })
  }

  get<K extends keyof Kinds>(kind: K, handle: Handle): Kinds[K] | undefined {
    const entry = this.#cache.get(handle)
    return entry?.session === this && entry.kind === kind ? (entry.object as Kinds[K]) : undefined
  }

  end() {
    for (const [handle, { session }] of [...this.#cache.entries()])
      if (session === this) this.#cache.delete(handle)
  }
}
