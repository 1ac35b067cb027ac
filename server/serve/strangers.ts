// Connections of which it is not known yet who is there. They have a place of their own, so that
// they keep out nobody who has a token, and cost little until they have shown one.

import type { Duplex } from 'node:stream'
import { MAX_MESSAGE_BYTES } from './authentication.ts'
import { OldestOut } from './oldest-out.ts'

// WebSocket's frames around the first message.
const OVERHEAD_BYTES = 1024

export class Strangers {
  readonly #waiting: OldestOut

  /** @param max how many there may be; the oldest one makes room for one more */
  constructor(max: number) {
    this.#waiting = new OldestOut(max)
  }

  /** Answers what to call with the first message, however it is. */
  add(stream: Duplex): () => void {
    const leave = this.#waiting.add(stream)
    let bytes = 0
    const count = (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > MAX_MESSAGE_BYTES + OVERHEAD_BYTES) stream.destroy()
    }
    stream.on('data', count)
    return () => {
      leave()
      stream.off('data', count)
    }
  }
}
