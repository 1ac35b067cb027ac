// A bounded number of connections that have not said yet what they are here for: when there are
// too many, the oldest makes room.

import type { Duplex } from 'node:stream'

export class OldestOut {
  readonly #max: number
  readonly #streams = new Set<Duplex>()

  /** @param max how many there may be */
  constructor(max: number) {
    this.#max = max
  }

  /** Answers what to call when it has said it. */
  add(stream: Duplex): () => void {
    const [oldest] = this.#streams
    if (oldest && this.#streams.size >= this.#max) {
      this.#streams.delete(oldest) // Its 'close' comes later.
      oldest.destroy()
    }
    this.#streams.add(stream)
    const leave = () => {
      this.#streams.delete(stream)
      stream.off('close', leave)
    }
    stream.once('close', leave)
    return leave
  }
}
