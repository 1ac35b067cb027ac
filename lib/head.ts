// What a tier reads of a frame that it passes on: its first bytes.

import type { Frame } from './tier.ts'
import { type Handle, type Id, decode, encodeNotification, encodeRequest } from './wire.ts'

export interface Head {
  /** Of a request or an answer. */
  id?: Id | null
  /** Of a request or a notification. */
  method?: string
  /** Its first parameter, if that is a handle. */
  handle?: Handle
}

export interface ReadHead extends Head {
  /** How many characters of the frame it takes. */
  length: number
}

// The keys are in the order that PROTOCOL.md asks for: that is what makes this possible.
const HEAD = /^\{"jsonrpc":"2\.0",(?:"id":(null|-?\d+(?:\.\d+)?|"(?:[^"\\]|\\.)*"),)?(?:"method":"([^"\\]*)","params":\[(?:"([^"\\]*)")?|"result":|"error":)/

// No method and no handle are longer.
const HEAD_BYTES = 256
const HEADER_LENGTH_BYTES = 2

/** The head of a frame; undefined when its keys are in another order. */
export function headOf(frame: Frame): ReadHead | undefined {
  const text = typeof frame === 'string' ? frame : frame.toString('latin1', HEADER_LENGTH_BYTES, HEADER_LENGTH_BYTES + HEAD_BYTES)
  const match = HEAD.exec(text)
  if (!match) return undefined
  const [{ length }, id, method, handle] = match
  return { id: id === undefined ? undefined : idOf(id), method, handle, length }
}

const isDigit = (code: number) => code >= 0x30 && code <= 0x39

// Most are numbers, and this is faster than JSON.parse().
const idOf = (text: string): Id | null => isDigit(text.charCodeAt(0)) ? Number(text) : JSON.parse(text)

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
