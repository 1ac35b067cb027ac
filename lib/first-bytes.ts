// The head of a frame, read without taking it apart: only where nothing that follows could say otherwise.

import type { Frame } from './tier.ts'
import type { Handle, Id } from './wire.ts'

export interface Head {
  /** Of a request or an answer. */
  id?: Id | null
  /** Of a request or a notification. */
  method?: string
  /** Its first parameter, if that is a handle. */
  handle?: Handle
  /** How many characters of the frame it takes, where it was read from one. */
  length?: number
}

export type ReadHead = Head & Required<Pick<Head, 'length'>>

// The keys are in the order that PROTOCOL.md asks for: that is what makes this possible. No number that it takes is infinite.
const HEAD = /^\{"jsonrpc":"2\.0",(?:"id":(null|-?(?:\d{1,30}(?:\.\d+)?|\d(?:\.\d+)?[eE][+-]?[12]?\d{1,2})|"(?:[^"\\]|\\.)*"),)?(?:"method":"([^"\\]*)","params":\[(?:"([^"\\]*)"|(?=[{[\]\dntf-]))|"result":|"error":)/

// No method and no handle are longer.
const HEAD_BYTES = 256
const HEADER_LENGTH_BYTES = 2

/** The head of a frame; undefined when its keys are in another order, or it is written in another way. */
export function headOf(frame: Frame): ReadHead | undefined {
  const isText = typeof frame === 'string'
  const end = isText ? frame.length : endOfHeader(frame)
  const match = HEAD.exec(isText ? frame : frame.toString('utf8', HEADER_LENGTH_BYTES, Math.min(end, HEADER_LENGTH_BYTES + HEAD_BYTES)))
  if (!match) return undefined
  const [{ length }, id, method, handle] = match
  // The params are the last member: no id follows them.
  if (method !== undefined && !(isText ? frame.endsWith(']}') : frame.toString('latin1', end - 2, end) === ']}')) return undefined
  try {
    return { id: id === undefined ? undefined : idOf(id), method, handle, length }
  } catch {
    return undefined // The id is no JSON.
  }
}

function endOfHeader(frame: Buffer): number {
  const end = frame.length < HEADER_LENGTH_BYTES ? 0 : HEADER_LENGTH_BYTES + frame.readUInt16BE()
  return end > frame.length ? 0 : end
}

const isDigit = (code: number) => code >= 0x30 && code <= 0x39

// Most are numbers, and this is faster than JSON.parse().
const idOf = (text: string): Id | null => isDigit(text.charCodeAt(0)) ? Number(text) : JSON.parse(text)
