// What a session on a vertical tier keeps of its client's objects: Workers, Routers and
// WebRtcServers, which have parts on Workers below, and what is on the Routers.

import type { Announcement } from '../../lib/codec.ts'
import type { Handle } from '../../lib/wire.ts'
import { Part, Parts } from './parts.ts'
import { WorkerLoad } from './worker-load.ts'

/** An object of the client, over parts below. */
abstract class Aggregate<P extends Part<WorkerPart>> {
  readonly handle: Handle
  /** Each part has it, as any may be the last one that is found again. */
  readonly appData: unknown
  readonly parts = new Parts<WorkerPart, P>()
  closed = false

  constructor(handle: Handle, { appData }: Announcement) {
    this.handle = handle
    this.appData = appData
  }
}

/** A Worker of the client, over Workers below. */
export class AggregateWorker extends Aggregate<WorkerPart> {
  /** What further parts are created with. */
  settings: Record<string, unknown>
  readonly routers = new Set<AggregateRouter>()
  readonly servers = new Set<AggregateServer>()

  constructor(handle: Handle, announcement: Announcement, settings: Record<string, unknown>) {
    super(handle, announcement)
    this.settings = settings
  }
}

export class WorkerPart extends Part<WorkerPart> {
  readonly owner: AggregateWorker
  readonly ordinal: number
  readonly load = new WorkerLoad()
  draining = false
  /** Until it is given back, if it carries nothing. */
  timer: NodeJS.Timeout | undefined

  constructor(owner: AggregateWorker, ordinal: number) {
    super()
    this.owner = owner
    this.ordinal = ordinal
  }

  get worker(): WorkerPart {
    return this
  }
}

/** What is on a Worker of the client: on each Worker below that needs it. */
abstract class AggregateOn<P extends Part<WorkerPart>> extends Aggregate<P> {
  /** That of its first part. */
  id: string
  readonly worker: AggregateWorker

  constructor(handle: Handle, announcement: Announcement, worker: AggregateWorker) {
    super(handle, announcement)
    this.id = announcement.members.id as string
    this.worker = worker
  }
}

export class AggregateRouter extends AggregateOn<RouterPart> {
  mediaCodecs: unknown
  /** Its part that is piped to another Router of the client. */
  readonly pipedTo = new Map<AggregateRouter, RouterPart>()
  readonly producers = new Map<string, ProducerRecord>()
  readonly dataProducers = new Map<string, ProducerRecord>()
  /** Ids of those that pipes from elsewhere are bringing: what uses one waits for it. */
  readonly arriving = new Map<string, Promise<void>>()
}

export class AggregateServer extends AggregateOn<ServerPart> {
  options: Record<string, unknown> = {}
  /** Workers on which it cannot be. */
  readonly refusedOn = new Set<WorkerPart>()
}

abstract class PartOn<O> extends Part<WorkerPart> {
  readonly owner: O
  readonly worker: WorkerPart

  constructor(owner: O, worker: WorkerPart) {
    super()
    this.owner = owner
    this.worker = worker
  }
}

/** A Router below: its part on one Worker. */
export class RouterPart extends PartOn<AggregateRouter> {
  readonly transports = new Set<HostedTransport>()
  /** How many more are about to be on it. */
  reserved = 0

  /** How many transports are, or are about to be, on it. */
  get count() {
    return this.transports.size + this.reserved
  }
}

export class ServerPart extends PartOn<AggregateServer> {
  /** How far its ports are behind the configured ones: on one host a port can be used once. */
  offset = 0
}

/** A transport, or an RTP observer: on one Worker. */
export interface HostedTransport {
  readonly handle: Handle
  readonly kind: string
  readonly part: RouterPart
  /** These are made when they are first needed: many objects never do. */
  producers?: Set<ProducerRecord>
  /** By its Consumers, or the Producers that it observes: what they hold of pipes. */
  uses?: Map<Handle, Replica | undefined>
}

/** A Producer or DataProducer, and its pipes to other Workers. */
export interface ProducerRecord {
  readonly handle: Handle
  readonly id: string
  readonly isData: boolean
  /** As its client sent it: what is piped on has it, too. */
  readonly appData: unknown
  readonly at: HostedTransport
  replicas?: Map<RouterPart, Replica>
  /** Those that its Consumers consume, if it is not data. */
  readonly ssrcs?: (number | undefined)[]
  /** Those that its Router had when it was made. */
  readonly mediaCodecs: unknown
}

/** A Producer on a Worker to which it was piped. */
export interface Replica {
  readonly of: ProducerRecord
  readonly part: RouterPart
  /** The handle of the pipe Producer. */
  ready: Promise<Handle>
  /** Settles when what uses it can be sent: what is behind that waits for it on the leaf. */
  usable: Promise<void>
  setSent(): void
  handle?: Handle
  /** That of another Worker of the same host, through which it comes. */
  gateway?: Replica
  users: number
  timer?: NodeJS.Timeout
  drop(): void
}
