// What is flat, and what drifts: of windows in which as many objects were there, and as much was
// done.

import { median } from '../kit/durations.ts'
import { type Point, lowerQuartile, slope, thirds } from './trend.ts'

// What a window says before the code is compiled and the buffers have their size does not count.
const WARM_UP = 0.2

const MB = 1e6

/** How much more a process may have at the end than at the beginning. */
export const BOUNDS = {
  heap: { share: 0.02, bytes: 1 * MB },
  // malloc keeps more for some time: 64 KiB for each transport with SCTP that came and went leave
  // holes.
  resident: { share: 0.1, bytes: 8 * MB }
} as const

/**
 * How much more a process may have when all sessions were closed than before the first: compiled
 * code, buffers of their size.
 */
export const LEFT_BYTES = 16 * MB

/**
 * How much later a call may be answered in the last third than in the first, in its quieter
 * windows, and to the echo of the same ones.
 */
export const LATER = { p50: 1.25, p99: 1.5 } as const

/** What became of memory, in bytes: as the trend has it, and the last third to the first. */
export interface Growth {
  what: string
  from: number
  to: number
  perMinute: number
  perCall: number
  ratio: number
  isFlat: boolean
}

/** What became of a percentile, in µs, from the first third to the last. */
export interface Drift {
  what: string
  from: number
  to: number
  ratio: number
  /** The same for what it is to the echo. */
  toEcho: number
  isFlat: boolean
}

/** Windows without those of the warm-up. */
export const warm = <T>(windows: T[]): T[] => windows.slice(Math.ceil(windows.length * WARM_UP))

/**
 * @param points minutes and bytes
 * @param calls that were made during these
 */
export function judgeMemory(
  what: string,
  points: Point[],
  calls: number,
  { share, bytes }: { share: number; bytes: number }
): Growth {
  const perMinute = slope(points)
  const [begin, end] = [points[0]!.x, points.at(-1)!.x]
  const from = median(points.map(({ x, y }) => y - perMinute * (x - begin)))
  const grown = perMinute * (end - begin)
  const [first, last] = thirds(points.map(({ y }) => y))
  return {
    what,
    from,
    to: from + grown,
    perMinute,
    perCall: grown / calls,
    ratio: median(last) / median(first),
    isFlat: grown <= Math.max(from * share, bytes)
  }
}

export interface Latencies {
  call: number
  echo: number
}

/**
 * The machine is shared: what others do makes calls late, or the echo, or both. What drifts by
 * itself is late in its quieter windows, and to the echo.
 */
export function judgeLatency(what: string, windows: Latencies[], later: number): Drift {
  const [from, to] = thirds(windows.map(({ call }) => call)).map(lowerQuartile) as [number, number]
  const [before, after] = thirds(windows.map(({ call, echo }) => call / echo)).map(median) as [
    number,
    number
  ]
  const [ratio, toEcho] = [to / from, after / before]
  return { what, from, to, ratio, toEcho, isFlat: Math.min(ratio, toEcho) <= later }
}
