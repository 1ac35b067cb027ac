// How much there is on leaves, as they say themselves.

import { connect } from '../kit/product.ts'
import type { Tier } from './tiers.ts'

export type Counts = Record<'sessions' | 'workers' | 'routers' | 'consumers', number>
export type Counter = Awaited<ReturnType<typeof openCounter>>

/** Has a session of its own on each. */
export async function openCounter(leaves: Tier[]) {
  const observers = await Promise.all(leaves.map(({ url }) => connect(url)))
  return {
    load: (leaf: number) => observers[leaf]!.connection.getLoad(),
    async count(): Promise<Counts> {
      const counts = { sessions: 0, workers: 0, routers: 0, consumers: 0 }
      for (const [i, { connection }] of observers.entries()) {
        const { workers, routers, consumers } = await connection.getLoad()
        counts.sessions += await leaves[i]!.sessions()
        counts.workers += workers
        counts.routers += routers
        counts.consumers += consumers
      }
      return counts
    },
    close() {
      for (const observer of observers) observer.close()
    }
  }
}
