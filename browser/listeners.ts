// Who is told when something happens.

export class Listeners<T> {
  readonly #listeners = new Set<(value: T) => void>()

  /** @returns what ends it */
  add(listener: (value: T) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  tell(value: T) {
    for (const listener of [...this.#listeners]) listener(value)
  }
}
