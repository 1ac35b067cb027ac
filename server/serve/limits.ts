// How much one session may ask for, and how many sessions there may be.

import type { ObjectKind } from '../../lib/methods.ts'

/** Of a session. */
export const sessionDefaults = {
  /**
   * Messages per second; as many may come at once. Some cost more than one (see costs.ts), and
   * packets a hundredth.
   */
  rate: 20_000,
  /** Requests that are not answered yet, */
  inFlight: 20_000,
  /** and their bytes. */
  bytesInFlight: 64 * 1024 * 1024,
  /**
   * Levels of JSON in a message. mediasoup's deepest argument nests 7 levels, in two of the
   * message.
   */
  depth: 32,
  /** Elements of an array, or members of an object, in a message of 8 KiB or more. */
  elements: 500,
  /** Bytes of JSON. */
  appData: 16 * 1024,
  /** What its objects keep of appData, ids, RTP parameters and so on, in bytes of JSON. */
  bytesRetained: 256 * 1024 * 1024,
  workers: 256,
  routers: 10_000,
  webRtcServers: 1_000,
  transports: 50_000,
  /** Producers and DataProducers. */
  producers: 100_000,
  /** Consumers and DataConsumers. */
  consumers: 500_000,
  rtpObservers: 10_000
}

/** Of a served tier. */
export const limitDefaults = {
  /** Sessions, of all clients, */
  sessions: 10_000,
  /** and of those at one address; of one network of IPv6 (/64), */
  sessionsPerAddress: 1_000,
  /** and of those with the subject of one token. */
  sessionsPerSubject: 1_000,
  ...sessionDefaults
}

export type SessionLimits = Readonly<typeof sessionDefaults>
export type Limits = Readonly<typeof limitDefaults>

/** What objects are counted as. */
export type Quota =
  | 'workers'
  | 'routers'
  | 'webRtcServers'
  | 'transports'
  | 'producers'
  | 'consumers'
  | 'rtpObservers'

export function quotaOf(kind: ObjectKind): Quota {
  if (kind.endsWith('Transport')) return 'transports'
  if (kind.endsWith('Producer')) return 'producers'
  if (kind.endsWith('Consumer')) return 'consumers'
  if (kind.endsWith('Observer')) return 'rtpObservers'
  return kind === 'Worker' ? 'workers' : kind === 'Router' ? 'routers' : 'webRtcServers'
}

/**
 * Checks limits that somebody wrote.
 *
 * @param known the names that there are
 * @throws TypeError that names what is none
 */
export function checkLimits<T extends object>(limits: unknown, known: T): Partial<T> {
  if (typeof limits !== 'object' || limits === null) throw new TypeError('limits are an object')
  for (const [name, value] of Object.entries(limits)) {
    if (!Object.hasOwn(known, name))
      throw new TypeError(`a limit must be one of ${Object.keys(known).join(', ')} (got ${name})`)
    if (typeof value !== 'number' || !(value >= 0))
      throw new TypeError(`the limit ${name} must be a number from 0 up`)
  }
  return limits
}

/**
 * The lower of each: a token may take away from what the operator allows, and add nothing to it.
 */
export const lower = (limits: SessionLimits, more: Partial<SessionLimits>): SessionLimits =>
  Object.fromEntries(
    Object.entries(limits).map(([name, limit]) => [
      name,
      Math.min(limit, more[name as keyof SessionLimits] ?? limit)
    ])
  ) as SessionLimits
