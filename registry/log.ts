// Where a registry tells what happens: pino, or anything like it.

export interface Log {
  info(facts: object, text: string): void
  warn(facts: object, text: string): void
}

/** Tells a trouble once, and once that it is over, however often it is tried meanwhile. */
export class Trouble {
  readonly #log: Log
  readonly #facts: object
  #reason: string | undefined

  constructor(log: Log, facts: object = {}) {
    this.#log = log
    this.#facts = facts
  }

  begins({ message: reason }: Error, text: string) {
    if (reason !== this.#reason) this.#log.warn({ ...this.#facts, reason }, text)
    this.#reason = reason
  }

  ends(text: string) {
    if (this.#reason !== undefined) this.#log.info(this.#facts, text)
    this.#reason = undefined
  }
}
