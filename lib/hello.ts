// The first call of a session, in which each end introduces itself.

import type * as ms from 'mediasoup/types'
import type { Handle } from './frame.ts'

export const PROTOCOL = 'mafalda.v1'

/** The answer to `tier.hello`. */
export interface Hello {
  protocol: typeof PROTOCOL
  /** The versions of mafalda and mediasoup there. */
  mafalda: string
  mediasoup: string
  /** See `digest` in methods.ts. */
  model: string
  /** Names the tier's process, and, of a leaf, starts every handle that it gives out. */
  node: string
  /** Not a leaf: what it has is on other tiers. */
  proxy?: boolean
  /**
   * What mediasoup there answers synchronously; the client answers in its place. A path on the host
   * is told to who may operate it.
   */
  workerBin?: string
  supportedRtpCapabilities: ms.RouterRtpCapabilities
}

/** Where an object is: the answer to `tier.locate`. */
export interface Location {
  /** The name of the leaf. Its handles begin with it. */
  node: string
  /** The process id of the Worker there. */
  pid: number
  /** The version of mediasoup there. */
  mediasoup: string
  /** The handle of the Router that it is, or is on. */
  router?: Handle
}

/** Where the host of an object takes pipes from other hosts: the answer to `tier.pipeListenInfo`. */
export interface PipeListenInfo extends ms.TransportListenInfo {
  /** Names what has the same loopback addresses. Older leaves do not say it. */
  loopback?: string
}

/** mediasoup's levels of logs, as `tier.log` names them. */
export const LOG_LEVELS = ['debug', 'warn', 'error'] as const

export type LogLevel = (typeof LOG_LEVELS)[number]
