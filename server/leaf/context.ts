// What the sessions of a leaf, and the parts of a session, have in common.

import type { LRUCache } from 'lru-cache'
import type * as ms from 'mediasoup/types'
import type { Frame, Handle, Head } from '../../lib/frame.ts'
import type { Hello, PipeListenInfo } from '../../lib/hello.ts'
import type { Lending } from './borrow/lending.ts'
import type { IceServer } from '../../lib/ice-server.ts'
import type { Drain } from './drain.ts'
import type { ServedObject } from './served-object.ts'
import type { Tenant } from './share/shared-worker.ts'
import type { LoadMeter } from './load-meter.ts'
import type { Logs } from './logs.ts'
import type { LeafSurvey } from './survey.ts'
import type { Network } from './network/network.ts'
import type { PipeMeter } from './pipe-meter.ts'

/**
 * Sends the client a frame; with its head, where that is known, so that it need not be read again.
 */
export type Send = (frame: Frame, head?: Head) => void

/**
 * What sessions have closed a moment ago still says what mediasoup says of it, to calls that come
 * after.
 */
export type ClosedCache = LRUCache<Handle, { owner: object; entry: ServedObject }>

/** What all sessions of a leaf share. */
export interface Leaf {
  hello: Hello
  createWorker(tenant: Tenant, settings?: ms.WorkerSettings): Promise<ms.Worker>
  nextHandle(): string
  /** How long a Worker may take to answer a call, in ms. */
  readonly timeout: number
  /** Where this host listens to pipes from other hosts. */
  pipeListenInfo: PipeListenInfo
  /** What participants need to use the TURN server beside this host. */
  iceServers(): IceServer[]
  readonly network: Network
  readonly logs: Logs
  readonly meter: LoadMeter
  readonly pipes: PipeMeter
  readonly drain: Drain
  readonly survey: LeafSurvey
  readonly lending: Lending
  readonly closed: ClosedCache
  /** Checks the arguments of a call. */
  applyRules(member: string, args: unknown[]): void
}
