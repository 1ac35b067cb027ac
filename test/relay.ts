// A relay between a client and a tier that counts WebSocket frames, and breaks connections where it
// is told to.

import { type Direction, startRelay as startPlainRelay } from '../conformance/relay.ts'
import { afterTest } from './helper.ts'

export type { Direction }

/** Whether to break the connection at this frame: before it, within it, or not at all. */
export type Cut = (
  direction: Direction,
  frame: number,
  connection: number
) => 'before' | 'within' | undefined

export async function startRelay(url: string, cut: Cut = () => undefined) {
  const frames = { up: 0, down: 0, largest: 0 }
  const relay = await startPlainRelay(url, { inspect })
  afterTest(() => relay.close())
  return Object.assign(relay, { frames })

  function inspect(direction: Direction, connection: number) {
    const parse = parser()
    let count = 0
    return (chunk: Buffer) => {
      for (const { start, end, length } of parse(chunk)) {
        frames.largest = Math.max(frames.largest, length)
        const how = cut(direction, count++, connection)
        frames[direction]++
        if (how) return Math.max(how === 'before' ? start : Math.floor((start + end) / 2), 0)
      }
    }
  }
}

/** Finds the frames that begin in each chunk of one direction; start and end are relative to it. */
function parser() {
  let upgraded = false
  let head: Buffer = Buffer.alloc(0)
  let skip = 0

  return function* parse(chunk: Buffer): Generator<{ start: number; end: number; length: number }> {
    let at = 0
    if (!upgraded) {
      head = Buffer.concat([head, chunk])
      const end = head.indexOf('\r\n\r\n')
      if (end === -1) return
      upgraded = true
      at = chunk.length - (head.length - end - 4)
      head = Buffer.alloc(0)
    }
    at += skip
    skip = 0
    while (at < chunk.length) {
      const rest = head.length ? Buffer.concat([head, chunk.subarray(at)]) : chunk.subarray(at)
      const length = frameLength(rest)
      if (length === undefined) {
        head = rest
        return
      }
      const start = at - head.length
      head = Buffer.alloc(0)
      yield { start, end: Math.min(start + length, chunk.length), length }
      at = start + length
    }
    skip = at - chunk.length
  }
}

/** RFC 6455, 5.2 */
function frameLength(bytes: Buffer): number | undefined {
  if (bytes.length < 2) return undefined
  const mask = bytes[1]! & 0x80 ? 4 : 0
  const short = bytes[1]! & 0x7f
  if (short === 126) return bytes.length < 4 ? undefined : 4 + mask + bytes.readUInt16BE(2)
  if (short === 127)
    return bytes.length < 10 ? undefined : 10 + mask + Number(bytes.readBigUInt64BE(2))
  return 2 + mask + short
}
