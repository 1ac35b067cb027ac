// How large the arguments of a call may be. mediasoup looks for each codec among all others, in the
// event loop of all sessions, and an object keeps its appData as long as it lives.

import { LimitError, codes } from '../../lib/errors.ts'
import { SMALL_FRAME } from '../../lib/frame-header.ts'
import type { CallHead, Frame } from '../../lib/frame.ts'
import { decode } from '../../lib/wire.ts'
import type { SessionLimits } from './limits.ts'

/** Throws a LimitError that names the argument. A small message does no harm, and is not parsed. */
export function checkArguments(frame: Frame, head: CallHead, limits: SessionLimits) {
  const length = typeof frame === 'string' ? frame.length : frame.readUInt16BE()
  if (length < SMALL_FRAME && length <= limits.appData) return
  const { params } = decode(frame, head) as unknown as { params: unknown[] }
  checkValue('params', params, limits)
}

function checkValue(name: string, value: unknown, limits: SessionLimits) {
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return
  if (name === 'appData') return checkAppData(value, limits.appData)
  const keys = Object.keys(value)
  if (keys.length > limits.elements)
    throw new LimitError(
      codes.size,
      `${name} has at most ${limits.elements} elements (got ${keys.length})`
    )
  for (const key of keys)
    checkValue(Array.isArray(value) ? name : key, (value as Record<string, unknown>)[key], limits)
}

function checkAppData(appData: object, max: number) {
  const { length } = JSON.stringify(appData)
  if (length > max)
    throw new LimitError(codes.size, `appData has at most ${max} bytes of JSON (got ${length})`)
}
