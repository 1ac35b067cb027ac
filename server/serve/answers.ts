// What admission looks for in the answers of a tier.

import type { CallHead, Frame, Id } from '../../lib/frame.ts'
import { decode, encodeResult } from '../../lib/wire.ts'

export type DrainEvent = 'drained' | 'cancelled'

/** The path of a program on the host concerns who operates it. */
export function withoutWorkerBin(frame: string) {
  const { id, result } = decode(frame) as { id: Id; result?: object }
  return result ? encodeResult(id, { ...result, workerBin: undefined }) : frame
}

export function isResult(frame: Frame): boolean {
  const message = decode(frame)
  return message.method === undefined && message.error === undefined
}

/** What a `tier.drain` does when it succeeds. */
export function drainEvent(frame: Frame, head: CallHead): DrainEvent {
  const {
    params: [options]
  } = decode(frame, head) as unknown as { params: unknown[] }
  return (Object(options) as { cancel?: unknown }).cancel ? 'cancelled' : 'drained'
}
