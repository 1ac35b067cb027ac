// The words of the wire. Types only, below all that uses them.

/**
 * One message: JSON text, or a binary frame (see PROTOCOL.md) when it carries a packet or a message
 * of bytes.
 */
export type Frame = string | Buffer

/** Of a request, unique while it is in flight. */
export type Id = number | string

/** `<node>/<serial>`: unique in the whole tree, never rewritten by a tier. */
export type Handle = string

/** What a tier reads of a frame that it passes on. */
export interface Head {
  /** Of a request or an answer. */
  id?: Id | null
  /** Of a request or a notification. */
  method?: string
  /** Its first parameter, if that is a handle. */
  handle?: Handle
  /** Of a request: what it is a part of, as W3C's trace context writes it. */
  trace?: string
}

/** The header of a request or a notification. */
export type CallHead = Head & { method: string }

/** An error on the wire. */
export interface Failure {
  code: number
  message: string
  data?: {
    name: string
    /** Of a ConnectionError. */
    closeCode?: number
  }
}

/** Tells a session from all others, and proves that it is the same. */
export interface SessionKey {
  session: string
  secret: string
}
