// Times as text: their percentiles, and a bar for each power of two of ms.

import { build } from 'hdr-histogram-js'

const WIDTH = 40

export function histogram(times: number[]): string {
  const all = build({ lowestDiscernibleValue: 1, highestTrackableValue: 3_600_000, numberOfSignificantValueDigits: 3 })
  const bars = new Map<number, number>()
  for (const ms of times) {
    all.recordValue(Math.max(1, Math.round(ms)))
    const power = Math.max(0, Math.ceil(Math.log2(ms)))
    bars.set(power, (bars.get(power) ?? 0) + 1)
  }
  const most = Math.max(...bars.values())
  const lines = [...bars].toSorted(([one], [other]) => one - other)
    .map(([power, count]) => `  ≤ ${String(2 ** power).padStart(6)} ms ${String(count).padStart(5)} ${'█'.repeat(Math.ceil(count / most * WIDTH))}`)
  const percentile = (p: number) => `p${p} ${all.getValueAtPercentile(p)} ms`
  return [`  ${[50, 90, 99].map(percentile).join(', ')}, max ${all.maxValue} ms`, ...lines].join('\n')
}
