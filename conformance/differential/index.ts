// Differential test: random programs of calls must do the same on plain mediasoup and on a tier.

import fc from 'fast-check'
import { programs } from './arbitrary.ts'
import { type Difference, compare } from './compare.ts'
import { documented } from './documented.ts'
import { type Transcript, execute } from './execute.ts'
import { type Program, formatCommand, formatProgram } from './program.ts'
import { type Side, plainSide, tierSide } from './sides.ts'

export interface DifferentialOptions {
  /** The name of a tier of this package (see conformance/tiers), or `plain` to compare plain mediasoup with itself. */
  tier: string
  /** How many programs. Default 200. */
  runs?: number
  /** How many calls each has. Default 30. */
  commands?: number
  /** Makes the programs; the same ones for the same seed. Default: random. */
  seed?: number
  /** The path that a failure reported, to run that program alone. */
  path?: string
  /** Told of progress. */
  log?: (line: string) => void
}

export interface DifferentialReport {
  agrees: boolean
  runs: number
  /** How many calls were made and not skipped, and how many of them failed, of all programs. */
  calls: number
  failures: number
  seed: number
  path?: string
  /** The shortest program that was found to differ. */
  program?: Program
  difference?: Difference
  /** The whole story, for a person. */
  text: string
}

class Disagreement extends Error {
  readonly difference: Difference

  constructor(difference: Difference) {
    super('it differs')
    this.difference = difference
  }
}

/**
 * Runs random programs in lockstep on plain mediasoup and on a tier, and compares what an application notices: results,
 * errors, events and the state of all objects.
 *
 * @example
 * ```ts
 * const { agrees, text } = await differential({ tier: 'leaf', runs: 200 })
 * ```
 */
export async function differential({ tier, runs = 200, commands = 30, seed, path, log }: DifferentialOptions): Promise<DifferentialReport> {
  const plain = plainSide()
  const other = await tierSide(tier)
  const tally = { programs: 0, calls: 0, failures: 0 }
  let last: { program: Program; difference: Difference } | undefined
  try {
    const details = await fc.check(fc.asyncProperty(programs(commands), async program => {
      const difference = await run(program, plain, other, tier, tally)
      if (++tally.programs % 50 === 0) log?.(`${tier}: ${tally.programs} programs`)
      if (!difference) return
      last = { program, difference }
      throw new Disagreement(difference)
    }), { numRuns: runs, seed, path, endOnFailure: false })
    if (details.failed && !(details.errorInstance instanceof Disagreement)) throw details.errorInstance
    const report = { agrees: !details.failed, runs: details.numRuns, calls: tally.calls, failures: tally.failures, seed: details.seed }
    if (!last || !details.failed) return { ...report, text: `${tier}: ${report.runs} programs, ${tally.calls} calls (${tally.failures} failed) agree, seed ${report.seed}` }
    const found = { ...report, path: details.counterexamplePath ?? undefined, program: details.counterexample![0], difference: (details.errorInstance as Disagreement).difference }
    return { ...found, text: describe(tier, found) }
  } finally {
    await other.close()
    await plain.close()
  }
}

async function run(program: Program, plain: Side, other: Side, tier: string, tally: { calls: number; failures: number }): Promise<Difference | undefined> {
  const [expected, actual] = await Promise.all([execute(program, plain.stage), execute(program, other.stage)])
  count(expected, tally)
  for (const difference of compare(expected, actual)) {
    const command = program[difference.step - 1]
    if (!documented.some(({ tiers, applies }) => (!tiers || tiers.includes(tier)) && applies(difference, command))) return difference
  }
  return undefined
}

function count(transcript: Transcript, tally: { calls: number; failures: number }) {
  for (const { outcome } of transcript) {
    if (!('skipped' in outcome)) tally.calls++
    if ('rejected' in outcome || 'threw' in outcome) tally.failures++
  }
}

function describe(tier: string, { seed, path, program, difference }: { seed: number; path?: string; program: Program; difference: Difference }): string {
  const { step } = difference
  const when = step === 0 ? 'on the stage' : step > program.length ? 'at the end' : `after ${formatCommand(program[step - 1]!)}`
  const show = (value: unknown) => JSON.stringify(value, null, 2)
  return [
    `${tier} differs from plain mediasoup ${when}, in ${difference.path.join(' → ')}:`,
    `plain: ${show(difference.plain)}`,
    `${tier}: ${show(difference.tier)}`,
    'the program:',
    formatProgram(program),
    `again: DIFFERENTIAL_TIER=${tier} DIFFERENTIAL_SEED=${seed} DIFFERENTIAL_PATH=${path} node test/conformance/differential.test.ts`
  ].join('\n')
}
