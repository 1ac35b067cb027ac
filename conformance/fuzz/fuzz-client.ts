// The client against a tier that means no good: it does not crash or grow, and of every call it
// says what has become of it.

import { fileURLToPath } from 'node:url'
import { ask, end, startNode } from '../processes.ts'
import type { Outcome } from './client.ts'
import { HostileTier } from './hostile-tier.ts'
import type { FuzzReport } from './index.ts'
import { Random } from './random.ts'

const FRAMES = 1_000
const WARM_UP = 0.25
const MAX_GROWTH_BYTES = 4 * 1024 * 1024

const path = (file: string) => fileURLToPath(new URL(file, import.meta.url))

export async function fuzzClient({
  frames,
  seed,
  log
}: {
  frames: number
  seed: number
  log: (line: string) => void
}): Promise<FuzzReport> {
  const random = new Random(seed)
  const start = performance.now()
  const tier = await HostileTier.listen()
  const { child } = startNode(['--expose-gc', '--import', path('heap.ts'), path('client.ts')])
  const report: FuzzReport = {
    target: 'client',
    seed,
    frames: 0,
    sessions: 0,
    rounds: 0,
    growth: 0,
    seconds: 0
  }
  let warm: { heap: number; frames: number } | undefined
  let logged = 0
  try {
    while (report.frames < frames && !report.problem) {
      const session = random.seed()
      tier.prepare(session, FRAMES)
      const outcome = await ask<Outcome>(child, { url: tier.url }).catch((error: Error) => error)
      report.frames = tier.frames
      report.sessions++
      if (outcome instanceof Error)
        report.problem = `in the session of seed ${session}: ${outcome.message}`
      else if (outcome.pending)
        report.problem = `of ${outcome.calls} calls nothing came of ${outcome.pending}, in the session of seed ${session}`
      else {
        report.rounds += outcome.calls
        logged += outcome.logged
      }
      if (report.sessions % 20 === 0)
        log(`client: ${report.frames} frames in ${report.sessions} sessions`)
      if (!warm && !report.problem && report.frames >= frames * WARM_UP)
        warm = {
          heap: (await ask<{ heap: number }>(child, { heap: true })).heap,
          frames: report.frames
        }
    }
    if (!report.problem) {
      const grown = (await ask<{ heap: number }>(child, { heap: true })).heap - warm!.heap
      report.growth = grown / (report.frames - warm!.frames)
      if (grown > MAX_GROWTH_BYTES) report.problem = `the heap of the client grew by ${grown} bytes`
      else if (!logged) report.problem = 'the client complained about nothing'
    }
  } finally {
    tier.close()
    await end(child)
  }
  return { ...report, seconds: (performance.now() - start) / 1000 }
}
