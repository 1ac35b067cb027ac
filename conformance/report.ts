// The result of a run: each tier compared with the baseline.

import { deviations, type Deviation } from './deviations.ts'
import type { Replay, TestResult } from './replay.ts'

/** Passed and total tests. */
export interface Count {
  passed: number
  total: number
}

/** A test that passes on plain mediasoup and does not on a tier. */
export interface Difference {
  file: string
  test: string
  status: 'failed' | 'skipped' | 'missing'
  /** The first lines of the failure. */
  message: string[]
  /** Set when the difference is declared: see deviations.ts. */
  deviation?: Deviation
}

export interface TierReport {
  /** The tier's name, or its URL. */
  tier: string
  about: string
  seconds: number
  count: Count
  /** How many connections there were, if they were to break. */
  connections?: number
  /** By test file. */
  files: Record<string, Count>
  differences: Difference[]
  /** Declared deviations of this tier that did not show. */
  stale: Deviation[]
  /** Why the tier could not be tested at all. */
  error?: string
  conforms: boolean
}

export interface Report {
  /** Versions of what was tested. */
  mediasoup: string
  node: string
  workerBin: string
  baseline: {
    seconds: number
    count: Count
    files: Record<string, Count>
    /** Tests that fail on plain mediasoup; they say nothing about a tier. */
    failures: { file: string; test: string; message: string[] }[]
    /** Why the baseline could not be run, wholly or in part. */
    error?: string
  }
  tiers: TierReport[]
  /** Whether the baseline could be run, and every tier conforms to it. */
  conforms: boolean
}

const MESSAGE_LINES = 8

export function reportBaseline({ results, broken, seconds }: Replay): Report['baseline'] {
  const failed = results.filter(({ status }) => status === 'failed')
  const reasons = broken.map(({ file, message }) => `${file}: ${firstLines(message).join('\n')}`)
  if (!results.some(({ status }) => status === 'passed'))
    reasons.push('no test passed on plain mediasoup')
  return {
    seconds,
    ...countAll(results),
    failures: failed.map(({ file, test, message }) => ({
      file,
      test,
      message: firstLines(message)
    })),
    ...(reasons.length ? { error: reasons.join('\n') } : {})
  }
}

/** Compares the results of a tier with those of plain mediasoup. */
export function reportTier(
  tier: string,
  about: string,
  baseline: Replay,
  replay: Replay,
  connections?: number
): TierReport {
  const [reason] = replay.broken
  if (!replay.results.length && reason) return reportError(tier, about, reason.message)
  const differences = baseline.results.flatMap(result => compare(tier, result, replay))
  return {
    tier,
    about,
    seconds: replay.seconds,
    ...(connections ? { connections } : {}),
    ...countAll(replay.results),
    differences,
    // A host gets no Workers while its connection is cut, so all Workers of a test may be on the
    // other.
    stale: connections ? [] : staleDeviations(tier, replay),
    conforms: differences.every(({ deviation }) => deviation)
  }
}

export function reportError(tier: string, about: string, error: unknown): TierReport {
  const message = firstLines(error instanceof Error ? error.message : String(error)).join('\n')
  const nothing = {
    seconds: 0,
    count: { passed: 0, total: 0 },
    files: {},
    differences: [],
    stale: []
  }
  return { tier, about, ...nothing, error: message, conforms: false }
}

function compare(tier: string, expected: TestResult, { results, broken }: Replay): Difference[] {
  const { file, test } = expected
  if (expected.status !== 'passed') return []
  const actual = results.find(result => result.file === file && result.test === test)
  if (actual?.status === 'passed') return []
  const message = actual?.message ?? broken.find(entry => entry.file === file)?.message
  const deviation = deviations.find(entry => covers(entry, tier, expected))
  const status = actual?.status ?? 'missing'
  return [{ file, test, status, message: firstLines(message), ...(deviation ? { deviation } : {}) }]
}

// A deviation of all URLs is not stale because one of them passes.
function staleDeviations(tier: string, { results }: Replay): Deviation[] {
  const passed = results.filter(({ status }) => status === 'passed')
  return deviations.filter(
    entry => entry.tiers.includes(tier) && passed.some(result => covers(entry, tier, result))
  )
}

function covers(deviation: Deviation, tier: string, { file, test }: TestResult): boolean {
  const name = URL.canParse(tier) ? 'url' : tier
  return (
    deviation.tiers.includes(name) && deviation.test === test && (deviation.file ?? file) === file
  )
}

function countAll(results: TestResult[]): { count: Count; files: Record<string, Count> } {
  const files: Record<string, Count> = {}
  for (const { file, status } of results) {
    const count = (files[file] ??= { passed: 0, total: 0 })
    count.total++
    if (status === 'passed') count.passed++
  }
  const passed = results.filter(({ status }) => status === 'passed').length
  return { count: { passed, total: results.length }, files }
}

function firstLines(message = ''): string[] {
  const lines = message.split('\n').filter(line => line.trim())
  return lines.slice(0, MESSAGE_LINES).map(line => line.trimEnd())
}
