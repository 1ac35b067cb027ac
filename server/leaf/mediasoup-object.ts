// What the objects of mediasoup have in common, and what stands for one.

import type { EventEmitter } from 'node:events'

export interface MediasoupObject extends EventEmitter {
  readonly closed: boolean
  readonly observer: EventEmitter
  readonly appData: Record<string, unknown>
  close(): void
}
