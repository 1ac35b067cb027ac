// What a person is told.

import type { Difference } from './compare.ts'
import type { Transcript } from './execute.ts'
import { type Program, formatCommand, formatProgram } from './program.ts'

export interface Tally {
  programs: number
  /** That were made, because there was an object to make them on. */
  calls: number
  /** Calls that failed, on plain mediasoup too. */
  failures: number
}

export function count(transcript: Transcript, tally: Tally) {
  tally.programs++
  for (const { outcome } of transcript) {
    if (!('skipped' in outcome)) tally.calls++
    if ('rejected' in outcome || 'threw' in outcome) tally.failures++
  }
}

interface Report extends Tally {
  tier: string
  seed: number
  path?: string
  program?: Program
  difference?: Difference
  flaky?: boolean
}

export function describe({
  tier,
  seed,
  path,
  program,
  difference,
  flaky,
  programs,
  calls,
  failures
}: Report): string {
  if (!program || !difference)
    return `${tier}: ${programs} programs with ${calls} calls, of which ${failures} failed, agree with plain mediasoup (seed ${seed})`
  return [
    `${tier} differs from plain mediasoup ${momentOf(difference, program)}, in ${difference.path.join(' → ')}:`,
    `  plain: ${show(difference.plain)}`,
    `  ${tier}: ${show(difference.tier)}`,
    flaky ? 'when this program was run once more, they agreed:' : 'with this program:',
    formatProgram(program),
    `again: DIFFERENTIAL_TIER=${tier} DIFFERENTIAL_SEED=${seed} DIFFERENTIAL_PATH=${path} node test/conformance/differential.test.ts`
  ].join('\n')
}

function momentOf({ step }: Difference, program: Program): string {
  if (step === 0) return 'before the program'
  const command = program[step - 1]
  return command ? `after ${formatCommand(command)}` : 'when all is closed'
}

const show = (value: unknown) => JSON.stringify(value, null, 2)?.replaceAll('\n', '\n  ')
