// Loaded into a process that is measured (`node --expose-gc --import …/probe.ts …`): says by IPC
// what it has, when it is asked.

import { monitorEventLoopDelay } from 'node:perf_hooks'
import { heap } from '../kit/heap.ts'

export const QUESTION = 'what do you have?'

export interface Sample {
  /**
   * What is in use after garbage was collected, with the buffers that V8 keeps outside of its heap,
   * in bytes.
   */
  heap: number
  rss: number
  /** What of it is left when V8 has given back what it keeps to put something there later. */
  resident: number
  /**
   * Since it was asked before, in ms, but for the collection: delay of the event loop, and CPU
   * time.
   */
  delay: { p50: number; p99: number; max: number }
  cpu: number
}

const delays = monitorEventLoopDelay({ resolution: 2 })
delays.enable()
let before = process.cpuUsage()
process.on('message', async question => {
  if (question === QUESTION) process.send!(await sample())
})
// Whatever it is a part of ends as without it.
process.channel?.unref()

async function sample(): Promise<Sample> {
  delays.disable()
  const [p50, p99, max] = [delays.percentile(50), delays.percentile(99), delays.max].map(
    ns => ns / 1e6
  ) as [number, number, number]
  const { user, system } = process.cpuUsage(before)
  const used = await heap()
  const { external, rss } = process.memoryUsage()
  // V8 compacts its pages, and keeps none of those that are free.
  globalThis.gc!({ execution: 'sync', type: 'major', flavor: 'last-resort' })
  const { rss: resident } = process.memoryUsage()
  before = process.cpuUsage()
  delays.reset()
  delays.enable()
  return {
    heap: used + external,
    rss,
    resident,
    delay: { p50, p99, max },
    cpu: (user + system) / 1e3
  }
}
