// The client against a tier that means no good: it does not crash or grow, and of every call it says what has become of it.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Outcome } from './client.ts'
import { HostileTier } from './hostile-tier.ts'
import type { FuzzReport } from './index.ts'
import { Random } from './random.ts'

const FRAMES = 1_000
const WARM_UP = 0.25
const MAX_GROWTH_BYTES = 4 * 1024 * 1024
const MAX_LOG = 4_000

const path = (file: string) => fileURLToPath(new URL(file, import.meta.url))

export async function fuzzClient({ frames, seed, log }: { frames: number; seed: number; log: (line: string) => void }): Promise<FuzzReport> {
  const random = new Random(seed)
  const start = performance.now()
  const tier = await HostileTier.listen()
  const child = spawn(process.execPath, ['--expose-gc', '--import', path('heap.ts'), path('client.ts')], { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] })
  let said = ''
  for (const stream of [child.stdout!, child.stderr!]) stream.on('data', chunk => { said = (said + chunk).slice(-MAX_LOG) })
  const report: FuzzReport = { target: 'client', seed, frames: 0, sessions: 0, rounds: 0, growth: 0, seconds: 0 }
  let warm: { heap: number; frames: number } | undefined
  let logged = 0
  try {
    while (report.frames < frames && !report.problem) {
      const session = random.seed()
      tier.prepare(session, FRAMES)
      const outcome = await ask<Outcome>(child, { url: tier.url })
      report.frames = tier.frames
      report.sessions++
      if (!outcome) report.problem = `the client ended in the session of seed ${session}:\n${said}`
      else if (outcome.pending) report.problem = `of ${outcome.calls} calls nothing came of ${outcome.pending}, in the session of seed ${session}`
      else {
        report.rounds += outcome.calls
        logged += outcome.logged
      }
      if (report.sessions % 20 === 0) log(`client: ${report.frames} frames in ${report.sessions} sessions`)
      if (!warm && !report.problem && report.frames >= frames * WARM_UP) warm = { heap: (await ask<{ heap: number }>(child, { heap: true }))!.heap, frames: report.frames }
    }
    if (!report.problem) {
      const grown = (await ask<{ heap: number }>(child, { heap: true }))!.heap - warm!.heap
      report.growth = grown / (report.frames - warm!.frames)
      if (grown > MAX_GROWTH_BYTES) report.problem = `the heap of the client grew by ${grown} bytes`
      else if (!logged) report.problem = 'the client complained about nothing'
    }
  } finally {
    tier.close()
    if (child.connected) child.disconnect()
    else child.kill('SIGKILL')
  }
  return { ...report, seconds: (performance.now() - start) / 1000 }
}

/** The answer; undefined when the process ended instead. */
async function ask<T>(child: ChildProcess, question: object): Promise<T | undefined> {
  if (!child.connected) return undefined
  const settled = new AbortController()
  const { signal } = settled
  const answer = Promise.race([once(child, 'message', { signal }), once(child, 'exit', { signal }).then(() => [undefined])])
  child.send(question)
  const [value] = await answer
  settled.abort()
  return value as T | undefined
}
