// What `tier.survey` tells of a tree: one list of entries, each with the entry that it is part of.

import type { Load } from './load.ts'

/** How far down a survey goes; each level includes those before it. */
export const SURVEY_DETAILS = ['tiers', 'workers', 'routers', 'transports', 'all'] as const

export type SurveyDetail = (typeof SURVEY_DETAILS)[number]

/** A part of the tree. */
export interface SurveyView {
  /** Default `routers`. */
  detail?: SurveyDetail
  /** The id of an entry: only what is below it, and itself. Default: all. */
  under?: string
  /** How many of a kind are told one by one for each parent, the worst first. Default 200. */
  limit?: number
}

export interface SurveyOptions extends SurveyView {
  /** More parts, at most 16: what is in several is told once. So a room can be looked at closely, and all hosts. */
  also?: readonly SurveyView[]
  /** How many entries in all: limits become lower until that holds. Default 10,000, at most 20,000. */
  most?: number
  /** Whether changes follow, at most once a second. Default true. */
  subscribe?: boolean
}

/** A snapshot; `at` in ms since 1970, by the clock of the tier that answers. */
export interface Survey {
  at: number
  entries: SurveyEntry[]
}

/** What has changed since: entries that are new or other, whole, and the ids of those gone. */
export interface SurveyChanges {
  at: number
  changed: SurveyEntry[]
  gone: string[]
}

interface Entry {
  /**
   * Unique in the tree: a node's name, a handle, `<node>/session/<id>`, `<node>/worker/<pid>` of a
   * Worker that sessions share, `<of>/rest/<kind>`; and the URL of a tier that was never reached.
   */
  id: string
  /** The id of what it is part of; null for the tier that was asked. */
  of: string | null
}

/** A tier: the one that was asked, and those below it. */
export interface SurveyedTier extends Entry {
  kind: 'tier'
  tier: 'leaf' | 'horizontal' | 'vertical'
  /** What the tier above calls it: its URL, where it has one. */
  name?: string
  /** Undefined while it was never reached. */
  mafalda?: string
  mediasoup?: string
  load: Load
  /** When its process began, by its clock, in ms since 1970. */
  since?: number
  /** Bytes that its process has in memory, in whole MiB. */
  memory?: number
  /** p99 of how late its event loop was in the last second or more, in ms. */
  eventLoopDelay?: number
  /** Its host ends when it is empty, or at a deadline in ms since 1970. */
  draining?: { deadline?: number }
  /** Why there is nothing below: it cannot be reached, or was refused. */
  problem?: string
}

/** A session on a tier, as `tier.sessions` tells it. */
export interface SurveyedSession extends Entry {
  kind: 'session'
  subject?: string
  /** Undefined for one of a tier, or an application, in the same process. */
  address?: string
  /** When it began, in ms since 1970. */
  since: number
  objects: number
  /** It has no connection at the moment, and may come back. */
  lost?: true
  /** The id of the session on the tier above whose it is, where that is in the survey. */
  above?: string
}

export interface SurveyedWorker extends Entry {
  kind: 'Worker'
  pid: number
  /** Cores, 0 to 1; undefined until it was measured. */
  cpu?: number
  /** The most bytes that it had. */
  memory?: number
  /** What its application made it with. */
  settings?: {
    logLevel?: string
    logTags?: readonly string[]
    rtcMinPort?: number
    rtcMaxPort?: number
    libwebrtcFieldTrials?: string
  }
  /** It has died; told for some seconds. One that is closed is just gone. */
  died?: true
  /** The ids of the sessions whose it is: several where Workers are shared. */
  sessions: string[]
}

/** Bits per second, packets in all. `in` is what arrives at the leaf. */
export interface Traffic {
  bitrateIn: number
  bitrateOut: number
  packetsLost?: number
}

export interface SurveyedRouter extends Entry {
  kind: 'Router'
  /** The id of the session whose it is. */
  session: string
  transports: number
  producers: number
  consumers: number
}

export interface SurveyedTransport extends Entry, Partial<Traffic> {
  kind: 'WebRtcTransport' | 'PlainTransport' | 'PipeTransport' | 'DirectTransport'
  iceState?: string
  dtlsState?: string
  sctpState?: string
  /** `ip:port` here, and of the other side. */
  local?: string
  remote?: string
  /** Of a pipe: the id of the PipeTransport at its other end, where that is in the survey. */
  peer?: string
}

export interface SurveyedProducer extends Entry, Partial<Traffic> {
  kind: 'Producer'
  media: 'audio' | 'video'
  codec: string
  type: string
  paused: boolean
  /** The lowest of its streams, 0 to 10. */
  score?: number
}

export interface SurveyedConsumer extends Entry, Partial<Traffic> {
  kind: 'Consumer'
  media: 'audio' | 'video'
  codec: string
  type: string
  producerId: string
  paused: boolean
  producerPaused: boolean
  score?: number
  layers?: { spatialLayer: number; temporalLayer?: number }
  keyFrameRequests?: number
}

export interface SurveyedData extends Entry {
  kind: 'DataProducer' | 'DataConsumer'
  label: string
  type: string
  paused: boolean
  dataProducerId?: string
}

export interface SurveyedObserver extends Entry {
  kind: 'AudioLevelObserver' | 'ActiveSpeakerObserver'
  paused: boolean
}

/** Those of a kind that are not told one by one, together. */
export interface SurveyedRest extends Entry, Partial<Traffic> {
  kind: 'rest'
  /** Of which kind. */
  rest: string
  count: number
}

export type SurveyEntry =
  | SurveyedTier
  | SurveyedSession
  | SurveyedWorker
  | SurveyedRouter
  | SurveyedTransport
  | SurveyedProducer
  | SurveyedConsumer
  | SurveyedData
  | SurveyedObserver
  | SurveyedRest
