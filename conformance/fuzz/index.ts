// Fuzzing: hostile sessions attack a tier on which a second session works. Nothing may crash or
// grow, their objects are gone with them, every request is answered, and the second session sees
// nothing.

import type { Frame } from '../../lib/tier.ts'
import type { Load } from '../../lib/load.ts'
import { type RemoteMediasoup, connect } from '../../client/index.ts'
import { attack } from './attack.ts'
import { Bystander } from './bystander.ts'
import { Calls } from './calls.ts'
import { fuzzClient } from './fuzz-client.ts'
import { knock } from './handshake.ts'
import { Random } from './random.ts'
import { type TargetName, type Tier, startTarget } from './target.ts'

export interface FuzzOptions {
  target: TargetName | 'client'
  /** How many frames; a few more are sent. Default 50,000. */
  frames?: number
  /**
   * The same seed makes the same frames, except for values that the tier chooses. Default: random.
   */
  seed?: number
  log?: (line: string) => void
}

export interface FuzzReport {
  target: TargetName | 'client'
  seed: number
  frames: number
  sessions: number
  /** What the other session did in the meantime. */
  rounds: number
  /** Of the tier, in bytes for each frame. */
  growth: number
  seconds: number
  /** What went wrong, if something did, and the shortest list of frames that was found to do it. */
  problem?: string
  culprits?: string[]
}

// Steps of a session, of one or several frames each.
const STEPS = 2_000
// This many of the seeds also make openings, before.
const OPENINGS = 30
// The part of the sessions that runs first, so that compiled code and caches do not count.
const WARM_UP = 0.25
// Nothing of a session's frames should be left, but heaps have noise, of about a megabyte.
const MAX_GROWTH_BYTES = 4 * 1024 * 1024
// A leaf keeps what was closed for 10 s, and that may be some megabytes.
const MAX_KEPT_MS = 30_000
const MAX_GONE_MS = 20_000
const MAX_SHRINKING_MS = 30_000

export async function fuzz({
  target,
  frames: wanted = 50_000,
  seed = Math.floor(Math.random() * 2 ** 32),
  log = () => {}
}: FuzzOptions): Promise<FuzzReport> {
  if (target === 'client') return fuzzClient({ frames: wanted, seed, log })
  return fuzzTier({ target, frames: wanted, seed, log })
}

async function fuzzTier({
  target,
  frames: wanted,
  seed,
  log
}: Required<FuzzOptions> & { target: TargetName }): Promise<FuzzReport> {
  const random = new Random(seed)
  const calls = new Calls(seed)
  const start = performance.now()
  const report: FuzzReport = {
    target,
    seed,
    frames: 0,
    sessions: 0,
    rounds: 0,
    growth: 0,
    seconds: 0
  }
  let scene = await Scene.open(target)
  let warm: { heap: number; frames: number } | undefined
  try {
    while (report.frames < wanted && !report.problem) {
      const seeds = Array.from({ length: STEPS }, () => random.seed())
      const resumable = random.oneIn(2)
      report.problem = await scene.suffer(calls, seeds, resumable, () => {
        report.frames++
      })
      report.sessions++
      if (report.sessions % 10 === 0)
        log(`${target}: ${report.frames} frames in ${report.sessions} sessions`)
      if (!warm && report.frames >= wanted * WARM_UP)
        warm = { heap: await scene.heap(), frames: report.frames }
      if (!report.problem) continue
      report.rounds = scene.rounds
      log(`${report.problem}\nlooking for the frames that matter …`)
      report.culprits = await shrink(seeds, resumable)
    }
    if (!report.problem && warm) {
      report.rounds += scene.rounds
      const grown = (await scene.heap(warm.heap + MAX_GROWTH_BYTES)) - warm.heap
      report.growth = grown / (report.frames - warm.frames)
      if (grown > MAX_GROWTH_BYTES) report.problem = `the heap of the tier grew by ${grown} bytes`
    }
  } finally {
    await scene.close()
  }
  return { ...report, seconds: (performance.now() - start) / 1000 }

  /** Leaves out steps, many first, as long as the rest still shows the problem on a new tier. */
  async function shrink(all: number[], resumable: boolean): Promise<string[] | undefined> {
    const deadline = performance.now() + MAX_SHRINKING_MS
    let seeds = all
    let sent = await sentBy(seeds, resumable)
    if (!sent) return undefined
    for (let size = seeds.length >> 1; size >= 1; size >>= 1) {
      for (let at = 0; at < seeds.length && performance.now() < deadline; ) {
        const fewer = seeds.toSpliced(at, size)
        const does = await sentBy(fewer, resumable)
        if (does) [seeds, sent] = [fewer, does]
        else at += size
      }
    }
    return sent.map(written)
  }

  /** The frames, if there is a problem with them. */
  async function sentBy(
    seeds: readonly number[],
    resumable: boolean
  ): Promise<Frame[] | undefined> {
    await scene.close()
    scene = await Scene.open(target)
    const sent: Frame[] = []
    return (await scene.suffer(calls, seeds, resumable, frame => sent.push(frame)))
      ? sent
      : undefined
  }
}

/** A tier with a second session on it. */
class Scene {
  readonly #tiers: Tier[]
  readonly #bystander: Bystander
  readonly #watchers: RemoteMediasoup[]
  #before: string

  static async open(target: TargetName): Promise<Scene> {
    const { tiers, leaves } = await startTarget(target)
    const bystander = await Bystander.open(tiers[0]!.url)
    bystander.work()
    await bystander.rest()
    const watchers = await Promise.all(leaves.map(({ url }) => connect(url)))
    return new Scene(tiers, bystander, watchers, await loads(watchers))
  }

  private constructor(
    tiers: Tier[],
    bystander: Bystander,
    watchers: RemoteMediasoup[],
    before: string
  ) {
    this.#tiers = tiers
    this.#bystander = bystander
    this.#watchers = watchers
    this.#before = before
  }

  get rounds() {
    return this.#bystander.rounds
  }

  /** The heap of the tier, once it is no larger than that, or else after a while. */
  async heap(largest = Infinity): Promise<number> {
    const deadline = performance.now() + MAX_KEPT_MS
    for (;;) {
      const heap = await this.#tiers[0]!.heap()
      if (heap <= largest || performance.now() > deadline) return heap
    }
  }

  /** Answers what went wrong, if something did. */
  async suffer(
    calls: Calls,
    seeds: readonly number[],
    resumable: boolean,
    onFrame: (frame: Frame) => void
  ): Promise<string | undefined> {
    this.#bystander.work()
    const problem =
      (await this.#knock(seeds, onFrame)) ??
      (await attack({
        url: this.#tiers[0]!.url,
        calls,
        seeds,
        resumable,
        foreign: [this.#bystander.handle],
        onFrame
      }).catch(error => (error as Error).message))
    await this.#bystander.rest()
    const stayed = await this.#leftovers().catch(error => (error as Error).message)
    for (const tier of this.#tiers) {
      const problem = await tier.problem()
      if (problem) return problem
    }
    return problem ?? this.#bystander.problem ?? stayed
  }

  async #knock(
    seeds: readonly number[],
    onFrame: (frame: Frame) => void
  ): Promise<string | undefined> {
    for (const seed of seeds.slice(0, OPENINGS)) {
      const problem = await knock(this.#tiers[0]!.url, new Random(seed), onFrame).catch(
        error => (error as Error).message
      )
      if (problem) return problem
    }
    return undefined
  }

  /** Waits until the objects of the hostile session are gone. */
  async #leftovers(): Promise<string | undefined> {
    const deadline = performance.now() + MAX_GONE_MS
    for (;;) {
      const after = await loads(this.#watchers)
      if (after === this.#before) return undefined
      if (performance.now() > deadline)
        return `of a session that is over something stayed: before ${this.#before}, after ${after}`
      await new Promise(resolve => setTimeout(resolve, 20))
    }
  }

  async close() {
    await this.#bystander.close()
    for (const watcher of this.#watchers) watcher.close()
    for (const tier of this.#tiers) await tier.stop()
  }
}

/** The objects on each leaf, without the CPU that they use, which changes all the time. */
async function loads(watchers: RemoteMediasoup[]): Promise<string> {
  const all = await Promise.all(watchers.map(watcher => watcher.connection.getLoad()))
  return JSON.stringify(
    all.map(({ workers, routers, consumers }: Load) => ({ workers, routers, consumers }))
  )
}

const MAX_WRITTEN = 500

function written(frame: Frame): string {
  const text =
    typeof frame === 'string' ? frame : `${frame.length} bytes: ${frame.toString('latin1')}`
  return text.length > MAX_WRITTEN ? `${text.slice(0, MAX_WRITTEN)}… (${text.length})` : text
}
