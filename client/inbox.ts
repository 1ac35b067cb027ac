// What arrives is handed on one by one: an event must not overtake the code after the `await` of the answer before it.

type Delivery = () => void

export class Inbox {
  #waiting: Delivery[] = []
  #next = 0
  #busy = false

  put(deliver: Delivery) {
    this.#waiting.push(deliver)
    if (this.#busy) return
    this.#busy = true
    this.#deliver()
  }

  #deliver = () => {
    const deliver = this.#waiting[this.#next++]
    if (deliver) {
      deliver()
      // After all microtasks: whatever the application does on an answer, short of waiting for something else.
      queueMicrotask(() => process.nextTick(this.#deliver))
    } else {
      this.#waiting = []
      this.#next = 0
      this.#busy = false
    }
  }
}
