// JSON-RPC 2.0 messages to frames and back. PROTOCOL.md gives the reasons.
//
// Written here and not taken from a JSON-RPC library: one would answer a few microtasks after the
// handler is done, and by then events that came later have left.

import { ProtocolError, codes } from './errors.ts'
import { peekHeader } from './frame-header.ts'
import type { Failure, Frame, Head, Id } from './frame.ts'

export type { Failure, Handle, Id } from './frame.ts'

/** As in frame-header.ts. What is none is ignored. */
const TRACE = /^[\da-f]{2}-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}$/
const HANDLE = /^[\w-]{1,64}\/\d{1,16}$/

/**
 * What to say of a handle that is not known. It is quoted only if it is one, because what stands in
 * its place may be a secret.
 */
export const unknownHandle = (kind: string, handle: unknown) =>
  typeof handle === 'string' && HANDLE.test(handle)
    ? `${kind} with handle ${JSON.stringify(handle)} not found`
    : `${kind} not found: a handle is like "k3x/17", and this is none`

/** An error for what is no request of the protocol. */
export const badRequest = (message: string, id?: Id | null) =>
  new ProtocolError(codes.request, message, id)

export const notUnique = (id: Id) =>
  badRequest(`the id of a request is unique while it is in flight (${JSON.stringify(id)} is not)`)
export const unknownMethod = (method: string) =>
  new ProtocolError(
    codes.method,
    `unknown method ${JSON.stringify(method)}: rpc.discover lists them all`
  )

export type Message =
  | { id: Id; method: string; params: unknown[]; trace?: string }
  | { method: string; params: unknown[]; id?: undefined }
  | { id: Id | null; result: unknown; method?: undefined; error?: undefined }
  | { id: Id | null; error: Failure; method?: undefined; result?: undefined }

/** A message of any form, to take it apart. */
interface Loose {
  id?: Id | null
  method?: string
  params?: unknown[]
  trace?: string
  result?: unknown
  error?: Failure
}

// {"$":"payload"} stands in the header for the bytes that follow it.
const PAYLOAD = { $: 'payload' }
const HEADER_LENGTH_BYTES = 2

// The keys keep this order, so that a proxy can route a frame from its first bytes.
export const encodeRequest = (id: Id, method: string, params: unknown[], traceparent?: string) =>
  encode({ jsonrpc: '2.0', id, traceparent, method, params }, params)
export const encodeNotification = (method: string, params: unknown[]) =>
  encode({ jsonrpc: '2.0', method, params }, params)
export const encodeResult = (id: Id | null, result: unknown): Frame =>
  JSON.stringify({ jsonrpc: '2.0', id, result: result ?? null })
export const encodeFailure = (id: Id | null, error: Failure): Frame =>
  JSON.stringify({ jsonrpc: '2.0', id, error })

function encode(message: object, params: unknown[]): Frame {
  const at = params.findIndex(Buffer.isBuffer)
  if (at === -1) return JSON.stringify(message)
  const payload = params[at] as Buffer
  const header = JSON.stringify({ ...message, params: params.with(at, PAYLOAD) })
  const start = HEADER_LENGTH_BYTES + Buffer.byteLength(header)
  const frame = Buffer.allocUnsafe(start + payload.length)
  frame.writeUInt16BE(start - HEADER_LENGTH_BYTES)
  frame.write(header, HEADER_LENGTH_BYTES)
  payload.copy(frame, start)
  return frame
}

/** Decodes a frame. Throws a ProtocolError that says what is wrong with it. */
export function decode(frame: Frame, head: Head | undefined = peekHeader(frame)): Message {
  const message =
    typeof frame === 'string' ? messageOf(parse(frame, head?.id)) : decodeBinary(frame, head?.id)
  // JSON takes the last of several members of one name, and a proxy has gone by the first.
  if (
    head &&
    (head.id !== message.id ||
      head.method !== message.method ||
      (message.method !== undefined && head.handle !== handleIn(message.params)))
  ) {
    throw badRequest('a message has each of its members once', head.id)
  }
  return message
}

/**
 * A frame with its keys in order, and its header. It is the frame itself, unless its JSON is
 * written in another way than PROTOCOL.md asks for. Throws a ProtocolError for what is no message.
 */
export function normalize(frame: Frame): { frame: Frame; head: Head } {
  const head = peekHeader(frame)
  if (head) return { frame, head }
  const message = decode(frame)
  return { frame: encodeMessage(message), head: headIn(message) }
}

function encodeMessage({ id, method, params, trace, result, error }: Loose): Frame {
  if (method !== undefined)
    return id === undefined
      ? encodeNotification(method, params!)
      : encodeRequest(id!, method, params!, trace)
  return error === undefined ? encodeResult(id!, result) : encodeFailure(id!, error)
}

/**
 * The same of a frame from a tier below. What is no message has no header, and stays as it is: its
 * receiver is to judge it.
 */
export function normalizeIfMessage(
  frame: Frame,
  head = peekHeader(frame)
): { frame: Frame; head: Head | undefined } {
  if (head) return { frame, head }
  try {
    return normalize(frame)
  } catch {
    return { frame, head: undefined }
  }
}

/** The header of a message, however its JSON is written. Undefined for what is no message. */
export const headerOf = (frame: Frame): Head | undefined => normalizeIfMessage(frame).head

const headIn = ({ id, method, params, trace }: Loose): Head => ({
  id,
  method,
  handle: method === undefined ? undefined : handleIn(params!),
  ...(trace !== undefined && { trace })
})

const handleIn = ([first]: unknown[]) => (typeof first === 'string' ? first : undefined)

function decodeBinary(frame: Buffer, id?: Id | null): Message {
  if (frame.length < HEADER_LENGTH_BYTES)
    throw new ProtocolError(
      codes.parse,
      'a binary frame starts with the length of its header in two bytes'
    )
  const start = HEADER_LENGTH_BYTES + frame.readUInt16BE()
  if (start > frame.length)
    throw new ProtocolError(
      codes.parse,
      `the header of a binary frame ends within it (${start} of ${frame.length} bytes)`
    )
  const message = messageOf(parse(frame.toString('utf8', HEADER_LENGTH_BYTES, start), id))
  const at = message.method === undefined ? -1 : message.params.findIndex(isPayload)
  if (message.method === undefined || at === -1)
    throw badRequest('a binary frame names its payload in params as {"$":"payload"}', message.id)
  message.params[at] = frame.subarray(start)
  return message
}

const isPayload = (param: unknown) =>
  typeof param === 'object' && param !== null && '$' in param && param.$ === PAYLOAD.$

/** @param id of the request that it seems to be */
function parse(text: string, id?: Id | null): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The cause quotes what it has read, and that may be a secret.
    throw new ProtocolError(codes.parse, 'a frame is one JSON-RPC 2.0 message in JSON', id)
  }
}

// A number that JSON reads as infinite could not be written in the answer.
const isId = (id: unknown): id is Id => typeof id === 'string' || Number.isFinite(id)

function messageOf(value: unknown): Message {
  if (Array.isArray(value))
    throw badRequest('batches are not supported: send each message in a frame of its own')
  if (typeof value !== 'object' || value === null)
    throw badRequest(`a message is an object (got ${value === null ? 'null' : typeof value})`)
  const { jsonrpc, id, traceparent, method, params = [] } = value as Record<string, unknown>
  const idOk = isId(id)
  const known = idOk ? id : null
  if (jsonrpc !== '2.0') throw badRequest('a message has "jsonrpc": "2.0"', known)
  if (method === undefined) {
    if ('result' in value || 'error' in value)
      return (idOk ? value : { ...value, id: null }) as Message
    throw badRequest('a message has a method, a result or an error', known)
  }
  if (id !== undefined && !idOk) throw badRequest('the id of a request is a number or a string')
  if (typeof method !== 'string') throw badRequest('the method of a request is a string', id)
  if (!Array.isArray(params))
    throw new ProtocolError(
      codes.params,
      `the params of ${method} are an array: the handle, then mediasoup's own arguments`,
      id
    )
  const isTraced = id !== undefined && typeof traceparent === 'string' && TRACE.test(traceparent)
  return { id: id as Id, method, params, ...(isTraced && { trace: traceparent }) }
}
