// Reads id, method and handle from the start of a frame, without parsing it. Whoever parses the
// frame later compares the two (`decode`), so no tier acts on another method than the one behind
// it.

import { LimitError, codes } from './errors.ts'
import type { Frame, Handle, Head, Id } from './frame.ts'

// The keys are in the order that PROTOCOL.md asks for: that is what makes this possible. No number
// that it takes is infinite.
const HEADER =
  /^\{"jsonrpc":"2\.0",(?:"id":(null|-?(?:\d{1,30}(?:\.\d+)?|\d(?:\.\d+)?[eE][+-]?[12]?\d{1,2})|"(?:[^"\\]|\\.)*"),)?(?:(?:"traceparent":"([\da-f]{2}-[\da-f]{32}-[\da-f]{16}-[\da-f]{2})",)?"method":"([^"\\]*)","params":\[(?:"([^"\\]*)"|(?=[{[\]\dntf-]))|"result":|"error":)/

// No method and no handle are longer.
const MAX_HEADER_BYTES = 256
const HEADER_LENGTH_BYTES = 2

/**
 * The header of a frame. Undefined unless its keys are in the order of PROTOCOL.md, without spaces;
 * then `normalize()` in wire.ts reads it.
 */
export function peekHeader(frame: Frame): Head | undefined {
  const isText = typeof frame === 'string'
  const end = isText ? frame.length : endOfHeader(frame)
  const match = HEADER.exec(
    isText
      ? frame
      : frame.toString(
          'utf8',
          HEADER_LENGTH_BYTES,
          Math.min(end, HEADER_LENGTH_BYTES + MAX_HEADER_BYTES)
        )
  )
  if (!match) return undefined
  const [, id, trace, method, handle] = match
  // The params are the last member: no id follows them.
  if (
    method !== undefined &&
    !(isText ? frame.endsWith(']}') : frame.toString('latin1', end - 2, end) === ']}')
  )
    return undefined
  try {
    const head = { id: id === undefined ? undefined : idOf(id), method, handle }
    return trace === undefined ? head : { ...head, trace }
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
const idOf = (text: string): Id | null =>
  isDigit(text.charCodeAt(0)) ? Number(text) : JSON.parse(text)

/** JSON of this length is parsed in no time, whatever it nests. */
export const SMALL_FRAME = 8 * 1024

const [QUOTE, BACKSLASH] = [0x22, 0x5c]
const [OPEN_ARRAY, CLOSE_ARRAY] = [0x5b, 0x5d]
const [OPEN_OBJECT, CLOSE_OBJECT] = [0x7b, 0x7d]

/**
 * Refuses a large frame that nests too deep, before it is parsed: 4 MB of brackets take
 * JSON.parse() 10 s.
 */
export function checkDepth(frame: Frame, max: number) {
  const text =
    typeof frame === 'string'
      ? frame
      : frame.toString('utf8', HEADER_LENGTH_BYTES, endOfHeader(frame))
  if (text.length < SMALL_FRAME) return
  let depth = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === QUOTE) {
      do {
        i = text.indexOf('"', i + 1)
        if (i === -1) return // The string does not end: this is no JSON.
      } while (isEscaped(text, i))
    } else if (code === OPEN_ARRAY || code === OPEN_OBJECT) {
      if (++depth > max)
        throw new LimitError(codes.depth, `a message nests at most ${max} levels deep`)
    } else if (code === CLOSE_ARRAY || code === CLOSE_OBJECT) {
      depth--
    }
  }
}

function isEscaped(text: string, at: number): boolean {
  let backslashes = 0
  while (text.charCodeAt(at - 1 - backslashes) === BACKSLASH) backslashes++
  return backslashes % 2 === 1
}

/**
 * Copies a part of a frame's text that outlives the frame: V8 makes a substring a view, which would
 * keep all of the frame.
 */
export const detachString = (text: string) => Buffer.from(text, 'latin1').toString('latin1')

/** The node of a handle: the leaf that gave it out. */
export const nodeOf = (handle: Handle) => handle.slice(0, handle.indexOf('/'))
