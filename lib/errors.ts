// Every class of error, and how errors cross the wire: they keep their class over any number of
// tiers.

import { errors as mediasoupErrors } from './mediasoup.ts'
import type { Failure, Id } from './frame.ts'

/** JSON-RPC 2.0's error codes, and ours. */
export const codes = {
  parse: -32700,
  request: -32600,
  method: -32601,
  params: -32602,
  internal: -32603,
  /** mediasoup's own errors: `data.name` is the class. */
  mediasoup: -32000,
  /** Nobody has said who they are, or their token is not valid (any more). */
  unauthenticated: -32003,
  /** The token does not allow it. */
  forbidden: -32002,
  /** More than a session may ask for: in a second, */
  rate: -32010,
  /** at once, */
  inFlight: -32011,
  /** in one message, */
  depth: -32012,
  /** or have; */
  objects: -32013,
  /** and more sessions than there may be. */
  sessions: -32014,
  /** A message, or an answer, that is larger than its reader takes. */
  size: -32015,
  /** More than a host has, or may have: Workers, processes, descriptors, memory. */
  exhausted: -32016,
  /** The session that was to be resumed is gone. */
  session: -32001,
  /** The host drains. */
  draining: -32020
} as const

/** WebSocket's codes for why a connection is closed (RFC 6455, 7.4.1), and ours. */
export const closeCodes = {
  normal: 1000,
  protocolError: 1002,
  /** Nobody closed it: it broke. */
  abnormal: 1006,
  malformed: 1007,
  policyViolation: 1008,
  tooLarge: 1009,
  internalError: 1011,
  /** The tier comes back, and its sessions with it. */
  restart: 1012,
  /** As HTTP's 401: who is there has not said, or not said again, who they are. */
  unauthenticated: 4401,
  /** As HTTP's 403: the operator ended the session, or somebody is not let in any more. */
  ended: 4403,
  /** The client's certificate is not valid any more. The session goes on with one that is. */
  certificate: 4407,
  takenOver: 4409,
  /** As HTTP's 410: the tier ends, and its sessions with it. */
  gone: 4410,
  /** As HTTP's 429. */
  tooMuch: 4429
} as const

/**
 * The codes that end a session: those with which a client or a tier, or `ws` for them, close a
 * connection for good. Any other is from something in between, such as a load balancer that
 * restarts (1001, 1005), and the session is resumed.
 */
export const finalCodes: ReadonlySet<number> = new Set(
  Object.values(closeCodes).filter(
    code =>
      code !== closeCodes.abnormal && code !== closeCodes.restart && code !== closeCodes.certificate
  )
)

/** An error that has a code of its own on the wire. */
abstract class CodedError extends Error {
  readonly code: number

  constructor(code: number, message: string) {
    super(message)
    this.code = code
  }
}

/**
 * A message that is not of the protocol. `code` is JSON-RPC's; `id` is that of the request, if it
 * could be read.
 */
export class ProtocolError extends CodedError {
  override name = 'ProtocolError'
  readonly id: Id | null

  constructor(code: number, message: string, id: Id | null = null) {
    super(code, message)
    this.id = id
  }
}

/**
 * Refused because the token is missing or not valid (`codes.unauthenticated`), or does not allow it
 * (`codes.forbidden`).
 */
export class AccessError extends CodedError {
  override name = 'AccessError'
  readonly closeCode = closeCodes.unauthenticated
}

/**
 * More than the limits of the tier, or of the token, allow. `code` says of which limit:
 * `codes.rate`, `inFlight`, `depth`, `objects`, `sessions`, `size` or `exhausted`.
 */
export class LimitError extends CodedError {
  override name = 'LimitError'
  readonly closeCode = closeCodes.tooMuch
}

/**
 * The tier could not be reached, or the connection to it was lost. `cause` has the socket's own
 * error.
 */
export class ConnectionError extends Error {
  override name = 'ConnectionError'
  /** WebSocket's code, once there was a connection. */
  readonly closeCode: number | undefined

  constructor(
    message: string,
    { closeCode, ...options }: ErrorOptions & { closeCode?: number } = {}
  ) {
    super(message, options)
    this.closeCode = closeCode
  }

  /** Whether the peer closed the connection, and did not just vanish. */
  get wasClean() {
    return this.closeCode !== undefined && this.closeCode !== closeCodes.abnormal
  }
}

/** The session that was to be resumed is gone. */
export class SessionError extends Error {
  override name = 'SessionError'
}

/** The tier was replaced during a call: whether that was carried out is not known. */
export class UnknownOutcomeError extends Error {
  override name = 'UnknownOutcomeError'
}

export const unknownOutcome = (method: string) =>
  new UnknownOutcomeError(
    `the tier was replaced during ${method}(): whether it was carried out is not known`
  )

/** The host drains, and takes no new Workers and Routers. Another host does. */
export class DrainingError extends Error {
  override name = 'DrainingError'
}

/** The two ends have different APIs of mediasoup. The message names their versions. */
export class IncompatibleError extends Error {
  override name = 'IncompatibleError'
}

const revivable = byName<new (message: string) => Error>([
  TypeError,
  RangeError,
  SyntaxError,
  SessionError,
  DrainingError,
  UnknownOutcomeError,
  IncompatibleError,
  ...Object.values(mediasoupErrors)
])
const coded = byName([ProtocolError, AccessError, LimitError])

function byName<C extends { name: string }>(types: C[]): ReadonlyMap<string | undefined, C> {
  return new Map(types.map(type => [type.name, type]))
}

/** Encodes an error for the wire, without its stack, which stays on the host. */
export function describeError(error: unknown): Failure {
  if (!(error instanceof Error)) return { code: codes.internal, message: String(error) }
  const { name, message } = error
  const closeCode = error instanceof ConnectionError ? error.closeCode : undefined
  const data = closeCode === undefined ? { name } : { name, closeCode }
  return { code: codeOf(error), message, data }
}

function codeOf(error: Error): number {
  if (error instanceof CodedError) return error.code
  if (error instanceof SessionError) return codes.session
  return error instanceof DrainingError ? codes.draining : codes.mediasoup
}

/** The inverse of describeError. */
export function reviveError({ code, message, data }: Failure): Error {
  if (data === undefined && code <= codes.request) return new ProtocolError(code, message)
  if (data?.name === 'ConnectionError')
    return new ConnectionError(message, { closeCode: data.closeCode })
  const [withCode, type] = [coded.get(data?.name), revivable.get(data?.name)]
  if (withCode) return new withCode(code, message)
  if (type) return new type(message)
  return Object.assign(new Error(message), data && { name: data.name })
}
