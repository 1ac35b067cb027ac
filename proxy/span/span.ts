// What a session on a vertical tier knows: which Workers below are one Worker of its client, and where its Router's
// Producers are.

import type { Handle } from '../../lib/wire.ts'

/** A Worker of the client, which grows over Workers below. */
export interface SpanningWorker {
  handle: Handle
  /** What further Workers are created with. */
  settings: Record<string, unknown>
  /** Each part has it, as any may be the last one that is found again. */
  appData: unknown
  parts: WorkerPart[]
  /** The handle of the part that was last among them; it says what there is to say of a Worker without parts. */
  last: Handle
  /** Those on their way. */
  growing: Map<WorkerPart, Promise<void>>
  routers: Set<SpanningRouter>
  servers: Set<SpanningServer>
  closing: boolean
}

/** A Worker below. */
export interface WorkerPart {
  handle: Handle
  owner: SpanningWorker
  /** Its place among its siblings, for the ports that are derived from it. */
  ordinal: number
  /** Share of a core that it used over the last interval. */
  used: number
  /** What was promised since then, and in that interval, which saw only a part of it. */
  promised: number
  settling: number
  /** In ms, when it was last asked. */
  cpuTime: number
  /** How many transports and Consumers are on it, and how many of them had been measured with `used`. */
  objects: number
  measured: number
  /** Its host is to end. */
  draining: boolean
  /** Until it is given back, if it carries nothing. */
  timer?: NodeJS.Timeout
}

/** A Router of the client. */
export interface SpanningRouter {
  handle: Handle
  id: string
  worker: SpanningWorker
  mediaCodecs: unknown
  /** Each part has it. */
  appData: unknown
  parts: Map<WorkerPart, Promise<RouterPart>>
  /** Those of them that are there. */
  made: Set<RouterPart>
  /** How many transports are, or are about to be, on each. */
  counts: Map<WorkerPart, number>
  /** Its part that is piped to another Router of the client. */
  pairs: Map<SpanningRouter, RouterPart>
  /** The handle of its first part. */
  home: Handle
  producers: Map<string, Produced>
  dataProducers: Map<string, Produced>
  closed: boolean
}

/** A Router below: its part on one Worker. */
export interface RouterPart {
  handle: Handle
  id: string
  owner: SpanningRouter
  worker: WorkerPart
  placed: Set<Placed>
  /** The leaf that it is on, once that was asked, if it stays there. */
  host?: Promise<string>
}

/** A transport, or an RTP observer: on one Worker. */
export interface Placed {
  handle: Handle
  kind: string
  part: RouterPart
  /** These are made when they are first needed: many objects never do. */
  produced?: Set<Produced>
  /** By its Consumers, or the Producers that it observes: what they hold of pipes. */
  uses?: Map<Handle, Replica | undefined>
}

/** A Producer or DataProducer, and its pipes to other Workers. */
export interface Produced {
  handle: Handle
  id: string
  isData: boolean
  /** As its client sent it: what is piped on has it, too. */
  appData: unknown
  at: Placed
  replicas?: Map<RouterPart, Replica>
  /** Those that its Consumers consume, if it is not data. */
  ssrcs?: (number | undefined)[]
  /** Those that its Router had when it was made. */
  mediaCodecs: unknown
}

/** A Producer on a Worker to which it was piped. */
export interface Replica {
  of: Produced
  part: RouterPart
  /** The handle of the pipe Producer. */
  ready: Promise<Handle>
  handle?: Handle
  /** That of another Worker of the same host, through which it comes. */
  gateway?: Replica
  users: number
  timer?: NodeJS.Timeout
  drop(): void
}

/** A WebRtcServer of the client: one on each Worker that needs it. */
export interface SpanningServer {
  handle: Handle
  id: string
  worker: SpanningWorker
  options: Record<string, unknown>
  /** Each part has it. */
  appData: unknown
  /** The handle of its first part. */
  home: Handle
  parts: Map<WorkerPart, Promise<Handle>>
  ids: Set<string>
}
