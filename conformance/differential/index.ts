// Differential test: random programs of calls must do the same on plain mediasoup and on a tier.

import fc from 'fast-check'
import type { connect } from '../../client/index.ts'
import { programs } from './arbitrary.ts'
import { type Difference, compare } from './compare.ts'
import { isDocumented } from './documented.ts'
import { execute } from './execute.ts'
import type { Program } from './program.ts'
import { type Tally, count, describe } from './report.ts'
import { plainSide, tierSide } from './sides.ts'

export type { Difference } from './compare.ts'
export { documented, type Documented } from './documented.ts'
export type { Program } from './program.ts'

export interface DifferentialOptions {
  /**
   * The name of a tier (see conformance/tiers), the URL of one that runs on this machine, or
   * `plain`: plain mediasoup must agree with itself.
   */
  tier: string
  /** How many programs. Default 200. */
  runs?: number
  /** How many calls each of them has. Default 30. */
  commands?: number
  /** Makes the programs: the same ones from the same seed. Default: random. */
  seed?: number
  /** What a failure reported beside the seed: runs that program only. */
  path?: string
  /** Of the client that is to be tested. Default: that of these sources. */
  connect?: typeof connect
  /** Is told of progress. */
  log?: (line: string) => void
}

export interface DifferentialReport extends Tally {
  tier: string
  agrees: boolean
  seed: number
  path?: string
  /** The shortest program that was found to differ, and its first difference. */
  program?: Program
  difference?: Difference
  /** The program did not differ when it was run once more. */
  flaky?: boolean
  /** All of it, for a person. */
  text: string
}

// A program that differs only now and then could be shrunk for ever.
const MAX_SHRINKING_MS = 60_000

class Disagreement extends Error {}

/**
 * Runs random programs on plain mediasoup and on a tier at once, and compares what an application
 * would notice: results, errors, events, and what all objects say of themselves after each call.
 *
 * @throws Error when the tier is unknown, or cannot be started.
 * @example
 * ```ts
 * const { agrees, text } = await differential({ tier: 'leaf', runs: 1000 })
 * ```
 */
export async function differential({
  tier,
  runs = 200,
  commands = 30,
  seed,
  path,
  connect,
  log = () => {}
}: DifferentialOptions): Promise<DifferentialReport> {
  const plain = plainSide()
  const other = await tierSide(tier, connect)
  const tally: Tally = { programs: 0, calls: 0, failures: 0 }
  let shrinkUntil = Infinity
  try {
    const details = await fc.check(fc.asyncProperty(programs(commands, tier), agree), {
      numRuns: runs,
      seed,
      path
    })
    const report = { tier, agrees: !details.failed, seed: details.seed, ...tally }
    if (!details.failed) return { ...report, text: describe(report) }
    if (!(details.errorInstance instanceof Disagreement)) throw details.errorInstance
    const [program] = details.counterexample!
    const again = await firstDifference(program)
    const failure = {
      ...report,
      path: details.counterexamplePath!,
      program,
      difference: again ?? (details.errorInstance.cause as Difference),
      flaky: !again
    }
    return { ...failure, text: describe(failure) }
  } finally {
    await other.close()
    await plain.close()
  }

  async function agree(program: Program) {
    if (performance.now() > shrinkUntil) return
    const cause = await firstDifference(program)
    if (tally.programs % 50 === 0) log(`${tier}: ${tally.programs} programs`)
    if (!cause) return
    shrinkUntil = Math.min(shrinkUntil, performance.now() + MAX_SHRINKING_MS)
    throw new Disagreement(`${tier} differs from plain mediasoup`, { cause })
  }

  async function firstDifference(program: Program): Promise<Difference | undefined> {
    const [expected, actual] = await Promise.all([
      execute(program, plain.stage),
      execute(program, other.stage)
    ])
    count(expected, tally)
    for (const difference of compare(expected, actual)) {
      if (!isDocumented(difference, tier)) return difference
    }
    return undefined
  }
}
