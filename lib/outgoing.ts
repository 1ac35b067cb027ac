// What a link does with a frame that its reader would not take, or for which there is no room: it
// is refused where it was sent, and nothing else suffers.

import { LimitError, codes, describeError } from './errors.ts'
import { peekHeader } from './frame-header.ts'
import type { Frame, Head } from './frame.ts'
import { kinds, methods } from './methods.ts'
import { encodeFailure } from './wire.ts'

// Packets are dropped, rather than queued, when this much waits to be sent.
export const MAX_MEDIA_BACKLOG_BYTES = 1024 * 1024

// Of the backlog: the rest is for what cannot be refused, such as closes.
const FULL = 3 / 4

/** How a link is at the moment. */
export interface Room {
  /** The largest frame that the peer takes, in bytes. */
  maxPayload: number
  /** The bytes that have not left this process, */
  waiting: number
  /** with those that the peer has not acknowledged, */
  backlog: number
  /** and how many these may be. */
  maxBacklog: number
  connected: boolean
}

/**
 * What becomes of a frame. With none of these it is dropped, as it is worth nothing when it is
 * late.
 */
export interface Outgoing {
  /** What is sent: the frame, or an error in place of an answer. */
  frame?: Frame
  /** The answer to a request that is not sent. */
  answer?: Frame
  /** Why a message that nobody answers was not sent. */
  dropped?: LimitError
}

/**
 * @throws LimitError when there is no room for a message that nobody answers: its sender is to
 * wait.
 */
export function admit(frame: Frame, head: Head | undefined, room: Room): Outgoing {
  if (isLarger(frame, room.maxPayload))
    return refuseLarge(frame, head ?? peekHeader(frame), room.maxPayload)
  const isLate = !room.connected || room.waiting > MAX_MEDIA_BACKLOG_BYTES
  if (isLate && Buffer.isBuffer(frame) && isMedia(head ?? peekHeader(frame))) return {}
  if (room.backlog + frame.length > FULL * room.maxBacklog)
    return refuseMore(frame, head ?? peekHeader(frame), room)
  return { frame }
}

function refuseLarge(frame: Frame, head: Head | undefined, maxPayload: number): Outgoing {
  const what = head ? (head.method ?? 'the answer') : 'the message'
  const error = new LimitError(
    codes.size,
    `${what} has ${sizeOf(frame)} bytes, and the peer takes at most ${maxPayload}`
  )
  if (!head || (head.method !== undefined && head.id == null)) return { dropped: error }
  const failure = encodeFailure(head.id!, describeError(error))
  return head.method === undefined ? { frame: failure } : { answer: failure }
}

function refuseMore(frame: Frame, head: Head | undefined, { backlog, maxBacklog }: Room): Outgoing {
  if (head?.method === undefined) return { frame }
  const isCast = head.id == null && methods.get(head.method)?.role === 'cast'
  if (head.id == null && !isCast) return { frame }
  const error = new LimitError(
    codes.inFlight,
    `${head.method} has to wait: ${backlog} bytes of at most ${maxBacklog} wait to be sent, or to arrive`
  )
  if (isCast) throw error
  return { answer: encodeFailure(head.id!, describeError(error)) }
}

// A character has at most three bytes.
const isLarger = (frame: Frame, bytes: number) =>
  frame.length * (typeof frame === 'string' ? 3 : 1) > bytes && sizeOf(frame) > bytes

const sizeOf = (frame: Frame) =>
  typeof frame === 'string' ? Buffer.byteLength(frame) : frame.length

/** Whether a frame is RTP or RTCP, in either direction. */
function isMedia(head: Head | undefined): boolean {
  const [kind, member] = head?.method?.split('.') ?? []
  const row = kinds.get(kind ?? '')
  return row?.methods.get(member!) === 'media' || row?.events.get(member!) === 'media'
}
