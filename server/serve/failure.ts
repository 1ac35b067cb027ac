// Whether an answer is an error, without parsing it.

import type { Id } from '../../lib/frame.ts'

const START = '{"jsonrpc":"2.0","id":'.length
const ERROR = ',"error":{"code":'
// The longest code has so many characters.
const MAX_CODE = 7

/** The code of the error that an answer is; undefined for a result. */
export function failureIn(frame: string, id: Id): number | undefined {
  // An id that is a number has no comma.
  const from = typeof id === 'number' ? START : START + JSON.stringify(id).length
  const at = frame.indexOf(',', from)
  // `,"result":` of nearly all.
  if (frame.charCodeAt(at + 2) !== 0x65) return undefined
  if (!frame.startsWith(ERROR, at)) return 0
  return Number.parseInt(frame.slice(at + ERROR.length, at + ERROR.length + MAX_CODE), 10)
}
