// Connections of which it is not known yet who is there. They have a place of their own, so that
// they keep out nobody who has a token, and cost little until they have shown one.

import type { Duplex } from 'node:stream'
import { MAX_MESSAGE_BYTES } from './authentication.ts'

// WebSocket's frames around the first message.
const OVERHEAD_BYTES = 1024

export class Strangers {
  readonly #max: number
  readonly #streams = new Set<Duplex>()

  /** @param max how many there may be; the oldest one makes room for one more */
  constructor(max: number) {
    this.#max = max
  }

  /** Answers what to call with the first message, however it is. */
  add(stream: Duplex): () => void {
    const [oldest] = this.#streams
    if (oldest && this.#streams.size >= this.#max) oldest.destroy()
    this.#streams.add(stream)
    let bytes = 0
    const count = (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > MAX_MESSAGE_BYTES + OVERHEAD_BYTES) stream.destroy()
    }
    const leave = () => {
      this.#streams.delete(stream)
      stream.off('data', count).off('close', leave)
    }
    stream.on('data', count).once('close', leave)
    return leave
  }
}
