// An application, that is started again when it was killed.

import type { ChildProcess } from 'node:child_process'
import type { Judge } from './judge.ts'
import type { ClientMessage, Order } from './client-messages.ts'
import { end, startScript } from '../kit/processes.ts'
import { SILENCE_MS } from './tier.ts'
import type { Tree } from './tree.ts'

export class Application {
  readonly #tree: Tree
  readonly #judge: Judge
  readonly #mayLose: boolean
  readonly #seed: number
  readonly #number: number
  #generation = 0
  #child!: ChildProcess
  flows = 0
  isQuiet = false

  /** @param mayLose whether messages may be lost: with a proxy that is killed */
  constructor(tree: Tree, judge: Judge, mayLose: boolean, seed: number, number: number) {
    this.#tree = tree
    this.#judge = judge
    this.#mayLose = mayLose
    this.#seed = seed
    this.#number = number
    this.start()
  }

  get #name() {
    return `client ${this.#number}.${this.#generation}`
  }

  start() {
    this.#generation++
    const { top, address } = this.#tree
    const child = startScript('chaos/client', [
      top.link.url,
      address,
      this.#name,
      String(this.#seed + this.#generation),
      String(SILENCE_MS),
      ...(this.#mayLose ? ['--may-lose'] : [])
    ])
    this.#child = child
    child.on('message', (message: ClientMessage) => {
      if (child !== this.#child) return
      if (message.tell === 'flow') this.flows++
      if (message.tell === 'quiet') this.isQuiet = true
      this.#judge.hear(message)
    })
    child.once('exit', code => {
      if (code) this.#judge.blame(`${this.#name} ended with ${code}`)
    })
  }

  order(order: Order) {
    if (this.#child.connected) this.#child.send(order)
  }

  async kill() {
    this.#judge.forget(this.#name)
    await end(this.#child, 'SIGKILL')
  }
}
