// What may be, and what may not: media that nothing carried that was killed goes on.

import type { ClientMessage } from './client-messages.ts'
import type { Fault } from './schedule.ts'

// A flow that was made while something was killed may have been told about only after that.
const LATE_MS = 3_000
// How many flows that are over are remembered, for what follows them.
const MAX_OVER = 1_000

// What took longer is told at once, to see what had happened.
const SLOW_MS = 10_000

interface Flow {
  pids: number[]
  /** What was done to the Workers that carry it. */
  cause: Fault | undefined
}

export class Judge {
  readonly wrong: string[] = []
  readonly recoveries = new Map<string, number[]>()
  readonly #flows = new Map<string, Flow>()
  readonly #causes = new Map<string, Fault>()
  /** When, and how, what each Worker carried was last touched. */
  readonly #touched = new Map<number, { at: number; by: Fault }>()
  /** What was done, and when, to what clients are connected to. */
  readonly #top: { at: number; by: Fault }[] = []
  readonly #log: (line: string) => void
  /** All of them, and those that ended with what carried them. */
  flows = 0
  excused = 0

  constructor(log: (line: string) => void = () => {}) {
    this.#log = log
  }

  hear(message: ClientMessage) {
    switch (message.tell) {
      case 'flow':
        return this.#begin(message.id, message.pids)
      case 'over':
        return void this.#flows.delete(message.id)
      case 'broken':
        return this.#broken(message.id, message.why)
      case 'recovered':
        return this.recovered(
          message.what,
          message.ms,
          message.what === 'connection'
            ? this.#topFault(message.ms)
            : this.#causes.get(message.after ?? '')
        )
      case 'wrong':
        return this.blame(message.why)
    }
  }

  blame(why: string) {
    this.wrong.push(why)
    this.#log(`WRONG: ${why}`)
  }

  recovered(what: string, ms: number, after: Fault | undefined) {
    const name = after ? `${what} after ${after}` : what
    if (ms > SLOW_MS) this.#log(`slow: ${name} took ${Math.round(ms)} ms`)
    const times = this.recoveries.get(name) ?? []
    this.recoveries.set(name, times)
    times.push(ms)
  }

  /** These Workers are about to be killed, or what they carry may go through one that is. */
  touch(pids: number[], by: Fault) {
    for (const pid of pids) this.#touched.set(pid, { at: performance.now(), by })
    for (const flow of this.#flows.values())
      if (flow.pids.some(pid => pids.includes(pid))) flow.cause = by
  }

  /** What clients are connected to was broken. */
  touchTop(by: Fault) {
    this.#top.push({ at: performance.now(), by })
  }

  /** The last one before something was lost so long ago. */
  #topFault(ms: number): Fault | undefined {
    const lost = performance.now() - ms
    return this.#top.findLast(({ at }) => at <= lost)?.by
  }

  /** All of a client is gone with it. */
  forget(client: string) {
    for (const id of this.#flows.keys()) if (id.startsWith(`${client}/`)) this.#flows.delete(id)
  }

  #begin(id: string, pids: number[]) {
    this.flows++
    const now = performance.now()
    const touch = pids
      .flatMap(pid => this.#touched.get(pid) ?? [])
      .find(({ at }) => now - at < LATE_MS)
    this.#flows.set(id, { pids, cause: touch?.by })
  }

  #broken(id: string, why: string) {
    const flow = this.#flows.get(id)
    if (!flow) return
    this.#flows.delete(id)
    if (!flow.cause)
      return this.blame(
        `flow ${id} (in the Workers ${flow.pids}) ended, although nothing was killed that carried it: ${why}`
      )
    this.excused++
    this.#causes.set(id, flow.cause)
    if (this.#causes.size > MAX_OVER) this.#causes.delete(this.#causes.keys().next().value!)
  }
}
