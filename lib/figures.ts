// What a tier says of itself when its metrics are read: figures of the moment, and counts since its
// process began.

import type { Load } from './load.ts'
import type { ObjectKind } from './methods.ts'
import type { Wanted } from './wanted.ts'

export interface Figures {
  tier: 'leaf' | 'horizontal' | 'vertical'
  /** The version of the mediasoup behind it, where that is known. */
  mediasoup?: string
  load: Load
  /** Of a leaf. */
  host?: HostFigures
  /** Of a cluster: how many of the tiers below are in which state. */
  children?: Record<ChildState, number>
  /** Of a cluster that looks after the number of its hosts. */
  wanted?: Wanted | undefined
}

export const CHILD_STATES = ['up', 'lost', 'down', 'refused'] as const

export type ChildState = (typeof CHILD_STATES)[number]

export interface HostFigures {
  /** How many objects of each kind its sessions have. */
  objects: ReadonlyMap<ObjectKind, number>
  /** How many cores each Worker uses that was measured. */
  cores: number[]
  /** How many Workers have died. */
  died: number
  pipes: PipeFigures
}

/** Of what a registry tells to an application. */
export interface WebhookFigures {
  /** Events that were taken. */
  told: number
  /** Events that were given up: dead letters. */
  dead: number
  /** Attempts that failed. */
  failures: number
  /** Events that this registry has, and that were not taken yet. */
  waiting: number
}

/** Of the PipeTransports of a leaf, in all: what there was when they were asked last. */
export interface PipeFigures {
  bytesReceived: number
  bytesSent: number
  /** RTP packets. */
  packetsLost: number
}
