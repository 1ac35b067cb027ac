// What a proxy reads of a frame: its first bytes. The rest passes as it is.

import type { Frame } from '../lib/tier.ts'
import { type Handle, type Id, decode, encodeNotification, encodeRequest } from '../lib/wire.ts'

export interface Head {
  /** Of a request or an answer. */
  id?: Id | null
  /** Of a request or a notification. */
  method?: string
  /** Its first parameter, if that is a handle. */
  handle?: Handle
}

// The keys are in the order that PROTOCOL.md asks for: that is what makes this possible.
const HEAD = /^\{"jsonrpc":"2\.0",(?:"id":(null|\d+|"[^"\\]*"),)?(?:"method":"([^"\\]*)","params":\[(?:"([^"\\]*)")?|"result":|"error":)/

// No method and no handle are longer.
const HEAD_BYTES = 256
const HEADER_LENGTH_BYTES = 2

/** The head of a frame; undefined when its keys are in another order. */
export function headOf(frame: Frame): Head | undefined {
  const text = typeof frame === 'string' ? frame : frame.toString('latin1', HEADER_LENGTH_BYTES, HEADER_LENGTH_BYTES + HEAD_BYTES)
  const match = HEAD.exec(text)
  if (!match) return undefined
  const [, id, method, handle] = match
  return { id: id === undefined ? undefined : JSON.parse(id), method, handle }
}

/** A part of a frame's text that outlives the frame: V8 makes a substring a view, which would keep all of the frame. */
export const kept = (text: string) => Buffer.from(text, 'latin1').toString('latin1')

/** A frame with its keys in order. Throws a ProtocolError for what is no message. */
export function canonical(frame: Frame): Frame {
  const message = decode(frame)
  if (message.method === undefined) return frame
  return message.id === undefined ? encodeNotification(message.method, message.params) : encodeRequest(message.id, message.method, message.params)
}

/** The node of a handle: the leaf that gave it out. */
export const nodeOf = (handle: Handle) => handle.slice(0, handle.indexOf('/'))

const ANNOUNCED = /\{"\$":"([^"/]+)\/\d+","kind"/g

/** The nodes of the objects that a frame announces. */
export function* announcedNodes(frame: Frame): Generator<string> {
  if (typeof frame !== 'string' || !frame.includes('{"$":"')) return
  for (const [, node] of frame.matchAll(ANNOUNCED)) yield node!
}
