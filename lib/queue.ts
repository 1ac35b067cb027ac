// Frames that wait, in their order, and how much they are.

import type { Frame } from './tier.ts'

// Those that have gone are let go in batches of this many.
const CHUNK = 1024

export class FrameQueue {
  readonly #frames: Frame[] = []
  #next = 0
  #size = 0

  get length() {
    return this.#frames.length - this.#next
  }

  /** The characters and bytes of those that wait. */
  get size() {
    return this.#size
  }

  push(frame: Frame) {
    this.#frames.push(frame)
    this.#size += frame.length
  }

  /** Takes out the first one; there must be one. */
  shift(): Frame {
    const frame = this.#frames[this.#next++]!
    this.#size -= frame.length
    if (this.#next === CHUNK || this.#next === this.#frames.length) {
      this.#frames.splice(0, this.#next)
      this.#next = 0
    }
    return frame
  }

  clear() {
    this.#frames.length = this.#next = this.#size = 0
  }
}
