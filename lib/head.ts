// What a tier reads of a frame that it passes on: its first bytes.

import type { Frame } from './tier.ts'
import type { Head } from './first-bytes.ts'
import { type Handle, decode, encodeNotification, encodeRequest } from './wire.ts'

export { type Head, type ReadHead, headOf } from './first-bytes.ts'

/** A part of a frame's text that outlives the frame: V8 makes a substring a view, which would keep all of the frame. */
export const kept = (text: string) => Buffer.from(text, 'latin1').toString('latin1')

/** A frame with its keys in order, and its head. Throws a ProtocolError for what is no message. */
export function canonical(frame: Frame): { frame: Frame; head: Head } {
  const message = decode(frame)
  const { id, method } = message
  if (method === undefined) return { frame, head: { id } }
  const { params } = message
  const handle = typeof params[0] === 'string' ? params[0] : undefined
  return { frame: id === undefined ? encodeNotification(method, params) : encodeRequest(id, method, params), head: { id, method, handle } }
}

/** The node of a handle: the leaf that gave it out. */
export const nodeOf = (handle: Handle) => handle.slice(0, handle.indexOf('/'))

const ANNOUNCED = /\{"\$":"([^"/]+)\/\d+","kind"/g

/** The nodes of the objects that a frame announces. */
export function* announcedNodes(frame: Frame): Generator<string> {
  if (typeof frame !== 'string' || !frame.includes('{"$":"')) return
  for (const [, node] of frame.matchAll(ANNOUNCED)) yield node!
}
