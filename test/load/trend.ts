// How a series goes on, robust against what happens once.

import { median } from '../kit/durations.ts'

export interface Point {
  x: number
  y: number
}

/** Theil–Sen: the median of the slopes of all pairs. */
export function slope(points: Point[]): number {
  const slopes = points.flatMap((one, i) =>
    points.slice(i + 1).map(other => (other.y - one.y) / (other.x - one.x))
  )
  return median(slopes)
}

/** The first and the last third. */
export function thirds(values: number[]): [first: number[], last: number[]] {
  const third = Math.max(1, Math.floor(values.length / 3))
  return [values.slice(0, third), values.slice(-third)]
}

/** What a quarter is below: the quiet ones, where others disturb. */
export const lowerQuartile = (values: number[]): number =>
  values.toSorted((one, other) => one - other)[values.length >> 2]!
