// A cluster in a process of its own (--expose-gc), which is asked, one question after the other,
// for what it costs.

import { setTimeout as setTimeoutPromise } from 'node:timers/promises'
import { socketDefaults } from '../../lib/socket-options.ts'
import { horizontal, remote, serve } from '../kit/product.ts'

export type Question =
  /** To add leaves; answers how long it took until all were up, in ms. */
  | { add: string[]; silence?: number }
  /** Its heap, and all of its memory, in bytes. */
  | { memory: true }
  /** What it has used of a core since it was asked before, in ms. */
  | { cpu: true }
  /**
   * When a leaf that is lost counts no longer, and gets no more Workers, in ms of the machine's
   * monotonic clock.
   */
  | { lost: true }

const cluster = horizontal()
const { url } = await serve(cluster, { limits: { workers: 1_000_000, rate: 1_000_000_000 } })
let before = process.cpuUsage()

process.on('message', async (question: Question) => process.send!(await answer(question)))
process.send!(url)

async function answer(question: Question) {
  if ('add' in question) return add(question)
  if ('memory' in question) return memory()
  if ('cpu' in question) return cpu()
  for (const { capacity } = cluster.load; cluster.load.capacity >= capacity; )
    await setTimeoutPromise(1)
  return now()
}

async function add({ add, silence = socketDefaults.silence }: { add: string[]; silence?: number }) {
  const start = performance.now()
  let missing = add.length
  const all = new Promise<void>(resolve =>
    cluster.on('up', () => {
      if (--missing === 0) resolve()
    })
  )
  for (const leaf of add) cluster.add(remote(leaf, { silence }))
  await all
  return performance.now() - start
}

async function memory() {
  for (let i = 0; i < 3; i++) {
    await setTimeoutPromise(50)
    globalThis.gc!()
  }
  const { heapUsed, rss } = process.memoryUsage()
  return { heap: heapUsed, rss }
}

function cpu() {
  const { user, system } = process.cpuUsage(before)
  before = process.cpuUsage()
  return (user + system) / 1000
}

const now = () => Number(process.hrtime.bigint()) / 1e6
