// The brackets of a frame: read once, and without making anything of them.

import type { ReadHead } from './head.ts'
import type { Frame } from './tier.ts'

const HEADER_LENGTH_BYTES = 2
const [QUOTE, BACKSLASH] = [0x22, 0x5c]
const [OPEN_ARRAY, CLOSE_ARRAY] = [0x5b, 0x5d]
const [OPEN_OBJECT, CLOSE_OBJECT] = [0x7b, 0x7d]

export interface Shape {
  /** How deep it nests: a message without params is 1 deep. */
  depth: number
  /** Whether nothing follows its params: no second `method`, `id` or `params`. */
  plain: boolean
}

const PARAMS_DEPTH = 2
const END = ']}'

const SHORTEST: Shape = { depth: PARAMS_DEPTH, plain: true }

/** The shape of a frame. What is no JSON has one, too. */
export function scan(frame: Frame, head: ReadHead | undefined): Shape {
  const text = typeof frame === 'string' ? frame : headerOf(frame)
  // The head of a request ends in its params.
  const isCall = head?.method !== undefined
  // Most calls have no params but the handle.
  if (isCall && text.length === head.length + END.length && text.endsWith(END)) return SHORTEST
  let depth = isCall ? PARAMS_DEPTH : 0
  let deepest = depth
  let end = -1
  for (let i = isCall ? head.length : 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === QUOTE) {
      i = endOfString(text, i)
    } else if (code === OPEN_ARRAY || code === OPEN_OBJECT) {
      if (++depth > deepest) deepest = depth
    } else if (code === CLOSE_ARRAY || code === CLOSE_OBJECT) {
      if (--depth === 1 && end === -1) end = i
    }
  }
  return { depth: deepest, plain: isCall && end !== -1 && end === text.length - 2 && text.charCodeAt(end + 1) === CLOSE_OBJECT }
}

const headerOf = (frame: Buffer) => frame.length < HEADER_LENGTH_BYTES ? '' : frame.toString('utf8', HEADER_LENGTH_BYTES, HEADER_LENGTH_BYTES + frame.readUInt16BE())

/** Where the string ends that starts here. */
function endOfString(text: string, start: number): number {
  let end = start
  do {
    end = text.indexOf('"', end + 1)
    if (end === -1) return text.length
  } while (isEscaped(text, end))
  return end
}

function isEscaped(text: string, at: number): boolean {
  let backslashes = 0
  while (text.charCodeAt(at - 1 - backslashes) === BACKSLASH) backslashes++
  return backslashes % 2 === 1
}
