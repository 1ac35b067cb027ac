// How everything is measured: candidates take turns, and a row is the median of its rounds.

import { type Durations, median } from '../kit/durations.ts'

/** What one round of one candidate gave. */
export interface Sample {
  value: number
  p50?: number
  p99?: number
}

export interface Row {
  what: string
  unit: string
  /** Medians of the rounds. */
  value: number
  p50?: number
  p99?: number
  /** The median of what each round is to the baseline of the same round. */
  ratio?: number
  baseline?: string
  target?: string
  reached?: boolean
}

export interface Target {
  of: 'ratio' | 'value'
  atMost?: number
  atLeast?: number
}

/** One word on the command line. */
export interface Group {
  name: string
  about: string
  run(): Promise<Row[]>
}

// One round, to see that everything runs; the figures mean nothing.
export const quick = process.argv.includes('--quick')

type Samples<C extends Record<string, () => Promise<Sample>>> = {
  [N in keyof C]: Awaited<ReturnType<C[N]>>[]
}

/**
 * A B C A B C …: the machine is shared, so what disturbs a round disturbs every candidate. The
 * warm-up is not counted.
 */
export async function rounds<C extends Record<string, () => Promise<Sample>>>(
  count: number,
  candidates: C,
  { warmUp = 2 } = {}
): Promise<Samples<C>> {
  const names = Object.keys(candidates) as (keyof C & string)[]
  const samples = Object.fromEntries(names.map(name => [name, []])) as unknown as Record<
    string,
    Sample[]
  >
  for (let round = quick ? 0 : -warmUp; round < (quick ? 1 : count); round++) {
    for (const name of names) {
      const sample = await candidates[name]!()
      if (round >= 0) samples[name]!.push(sample)
    }
  }
  return samples as Samples<C>
}

interface Comparison {
  what: string
  unit: string
  samples: Sample[]
  /** More than one are added up, round by round. */
  to?: Record<string, Sample[]>
  target?: Target
}

export function row({ what, unit, samples, to, target }: Comparison): Row {
  const value = median(samples.map(sample => sample.value))
  const baselines = Object.values(to ?? {})
  const ratio =
    to &&
    median(
      samples.map(
        (sample, i) =>
          sample.value / baselines.reduce((sum, baseline) => sum + baseline[i]!.value, 0)
      )
    )
  return {
    what,
    unit,
    value,
    p50: medianOf(samples, 'p50'),
    p99: medianOf(samples, 'p99'),
    ratio,
    baseline: to && Object.keys(to).join(' + '),
    target: target && describe(target, unit),
    reached: target && isReached(target, target.of === 'ratio' ? ratio! : value)
  }
}

function medianOf(samples: Sample[], key: 'p50' | 'p99'): number | undefined {
  const values = samples.map(sample => sample[key]).filter(value => value !== undefined)
  return values.length ? median(values) : undefined
}

const isReached = ({ atMost = Infinity, atLeast = -Infinity }: Target, figure: number) =>
  figure <= atMost && figure >= atLeast

function describe({ of, atMost, atLeast }: Target, unit: string) {
  return `${atMost === undefined ? '≥' : '≤'} ${atMost ?? atLeast}${of === 'ratio' ? ' ×' : ` ${unit}`}`
}

/** One call after the other. */
export async function oneByOne(
  durations: Durations,
  count: number,
  call: () => Promise<unknown>
): Promise<Sample> {
  for (let i = 0; i < count; i++) {
    const start = performance.now()
    await call()
    durations.add(performance.now() - start)
  }
  return latency(durations.stop())
}

/** As many as there can be in `ms`, with `flight` calls always in flight. */
export async function inFlight(
  durations: Durations,
  flight: number,
  ms: number,
  call: () => Promise<unknown>
): Promise<Sample> {
  const deadline = performance.now() + ms
  await Promise.all(
    Array.from({ length: flight }, async () => {
      for (let start = performance.now(); start < deadline; ) {
        await call()
        const end = performance.now()
        durations.add(end - start)
        start = end
      }
    })
  )
  return rate(durations.stop())
}

/** What counts is how long it took, in µs. */
export const latency = ({ p50, p99 }: Durations): Sample => ({ value: p50, p50, p99 })

/** What counts is how many there were per second. */
export const rate = ({ perSecond, p50, p99 }: Durations): Sample => ({ value: perSecond, p50, p99 })
