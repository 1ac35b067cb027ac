// Times and their percentiles.

import { type Histogram, build } from 'hdr-histogram-js'

const NS_PER_MS = 1e6
const NS_PER_US = 1e3

/** Durations, in ms as performance.now() gives them; percentiles in µs. */
export class Durations {
  readonly #histogram: Histogram = build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: 60_000 * NS_PER_MS,
    numberOfSignificantValueDigits: 3,
    bitBucketSize: 32
  })
  #start = performance.now()
  #end = 0

  add(ms: number) {
    this.#histogram.recordValue(Math.round(ms * NS_PER_MS))
  }

  /** Nothing more comes: the time from the first to the last is what the rate is of. */
  stop(): this {
    this.#end = performance.now()
    return this
  }

  get count() {
    return this.#histogram.totalCount
  }

  get seconds() {
    return (this.#end - this.#start) / 1000
  }

  get perSecond() {
    return this.count / this.seconds
  }

  percentile(p: number) {
    return this.#histogram.getValueAtPercentile(p) / NS_PER_US
  }

  get p50() {
    return this.percentile(50)
  }

  get p99() {
    return this.percentile(99)
  }

  get p999() {
    return this.percentile(99.9)
  }
}

export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

const BAR_WIDTH = 40

/** Times, in ms, as text: their percentiles, and a bar for each power of two. */
export function bars(times: number[]): string {
  const all = new Durations()
  const counts = new Map<number, number>()
  for (const ms of times) {
    all.add(ms)
    const power = Math.max(0, Math.ceil(Math.log2(ms)))
    counts.set(power, (counts.get(power) ?? 0) + 1)
  }
  const most = Math.max(...counts.values())
  const lines = [...counts]
    .toSorted(([one], [other]) => one - other)
    .map(
      ([power, count]) =>
        `  ≤ ${String(2 ** power).padStart(6)} ms ${String(count).padStart(5)} ${'█'.repeat(Math.ceil((count / most) * BAR_WIDTH))}`
    )
  const percentiles = ([50, 90, 99, 100] as const).map(
    p => `p${p} ${Math.round(all.percentile(p) / 1000)} ms`
  )
  return [`  ${percentiles.join(', ')}`, ...lines].join('\n')
}
