// What a session has closed a moment ago still says what mediasoup says of it, to calls that come after: the last ones, and not
// for long, because closed objects keep what they had.

import type { Handle } from './frame.ts'

const MAX_CLOSED = 100
const KEPT_MS = 10_000

export class Closed<T extends { handle: Handle }> {
  #entries = new Map<Handle, T>()
  // Those that are forgotten next.
  #older = new Map<Handle, T>()
  #timer: NodeJS.Timeout | undefined
  #ended = false

  get(handle: Handle): T | undefined {
    return this.#entries.get(handle) ?? this.#older.get(handle)
  }

  add(entry: T) {
    if (this.#ended) return
    this.#entries.set(entry.handle, entry)
    if (this.#entries.size > MAX_CLOSED) this.#entries.delete(this.#entries.keys().next().value!)
    this.#timer ??= setTimeout(this.#age, KEPT_MS).unref()
  }

  /** Nobody asks any more. */
  end() {
    this.#ended = true
    clearTimeout(this.#timer)
    this.#entries.clear()
    this.#older.clear()
  }

  #age = () => {
    this.#older = this.#entries
    this.#entries = new Map()
    this.#timer = this.#older.size ? setTimeout(this.#age, KEPT_MS).unref() : undefined
  }
}
