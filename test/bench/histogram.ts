// Times and their percentiles.

import { type Histogram, build } from 'hdr-histogram-js'

const NS_PER_MS = 1e6
const NS_PER_US = 1e3

/** Durations, in ms as performance.now() gives them; percentiles in µs. */
export class Durations {
  readonly #histogram: Histogram = build({ lowestDiscernibleValue: 1, highestTrackableValue: 60_000 * NS_PER_MS, numberOfSignificantValueDigits: 3, bitBucketSize: 32 })
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

  get p50() {
    return this.#histogram.getValueAtPercentile(50) / NS_PER_US
  }

  get p99() {
    return this.#histogram.getValueAtPercentile(99) / NS_PER_US
  }

  get p999() {
    return this.#histogram.getValueAtPercentile(99.9) / NS_PER_US
  }
}

export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
