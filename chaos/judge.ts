// What may be, and what may not: media that nothing carried that was killed goes on.

import type { News } from './news.ts'

// A flow that was made while something was killed may have been told about only after that.
const LATE_MS = 3_000

interface Carried {
  pids: number[]
  isExcused: boolean
}

export class Judge {
  readonly wrong: string[] = []
  readonly recoveries = new Map<string, number[]>()
  readonly #flows = new Map<string, Carried>()
  /** When what each Worker carried was last touched. */
  readonly #touched = new Map<number, number>()
  /** All of them, and those that ended with what carried them. */
  flows = 0
  excused = 0

  hear(news: News) {
    switch (news.tell) {
      case 'flow': return this.#begin(news.id, news.pids)
      case 'over': return void this.#flows.delete(news.id)
      case 'broken': return this.#broken(news.id, news.why)
      case 'recovered': return this.recovered(news.what, news.ms)
      case 'wrong': return void this.wrong.push(news.why)
    }
  }

  recovered(what: string, ms: number) {
    const times = this.recoveries.get(what) ?? []
    this.recoveries.set(what, times)
    times.push(ms)
  }

  /** These Workers are about to be killed, or what they carry may go through one that is. */
  touch(pids: number[]) {
    for (const pid of pids) this.#touched.set(pid, performance.now())
    for (const flow of this.#flows.values()) if (flow.pids.some(pid => pids.includes(pid))) flow.isExcused = true
  }

  /** All of a client is gone with it. */
  forget(client: string) {
    for (const id of this.#flows.keys()) if (id.startsWith(`${client}/`)) this.#flows.delete(id)
  }

  #begin(id: string, pids: number[]) {
    this.flows++
    const now = performance.now()
    this.#flows.set(id, { pids, isExcused: pids.some(pid => now - (this.#touched.get(pid) ?? -Infinity) < LATE_MS) })
  }

  #broken(id: string, why: string) {
    const flow = this.#flows.get(id)
    this.#flows.delete(id)
    if (flow?.isExcused) this.excused++
    else if (flow) this.wrong.push(`flow ${id} (in the Workers ${flow.pids}) ended, although nothing was killed that carried it: ${why}`)
  }
}
