// Delivers messages one per turn: an event must not overtake the code after the `await` of the
// answer before it.

const CHUNK = 1024

export class TurnQueue<T> {
  readonly #deliver: (item: T) => void
  readonly #waiting: T[] = []
  #next = 0
  #busy = false

  constructor(deliver: (item: T) => void) {
    this.#deliver = deliver
  }

  put(item: T) {
    this.#waiting.push(item)
    if (this.#busy) return
    this.#busy = true
    this.#handOn()
  }

  #handOn = () => {
    if (this.#next === this.#waiting.length) {
      this.#waiting.length = this.#next = 0
      this.#busy = false
      return
    }
    this.#deliver(this.#waiting[this.#next++]!)
    if (this.#next === CHUNK) {
      this.#waiting.splice(0, CHUNK)
      this.#next = 0
    }
    // After all microtasks: the application has then done everything that follows from an answer
    // without waiting for something else.
    queueMicrotask(this.#afterMicrotasks)
  }

  #afterMicrotasks = () => process.nextTick(this.#handOn)
}
