// What a tier tells of its load, upwards.

import type { Handle } from './wire.ts'

/**
 * The answer to `tier.load`, and its notifications. What drains counts for none of capacity, used,
 * workers and shared, because nothing can be placed there.
 */
export interface Load {
  /** How many cores Workers may use. */
  capacity: number
  /** How many cores Workers used over the last interval. */
  used: number
  workers: number
  /**
   * How much of the capacity is of hosts where all sessions share the Workers: each can be on as
   * many, whoever else is.
   */
  shared: number
  routers: number
  consumers: number
  /** How many Workers there are on hosts that drain. */
  draining: number
  /**
   * How many cores are needed and not there; negative: how many can be given back. Only clusters that
   * look after the number of their hosts say it.
   */
  wanted: number
}

/**
 * How many cores each Worker of a session uses, by handle: the answer to `tier.usage`, and its
 * notifications, which name only what has changed.
 */
export type Usage = Record<Handle, number>

export const IDLE: Load = {
  capacity: 0,
  used: 0,
  workers: 0,
  shared: 0,
  routers: 0,
  consumers: 0,
  draining: 0,
  wanted: 0
}

/**
 * The total of several loads, kept as one of them changes: what it was counts no longer, what it is
 * now does.
 */
export function exchange(total: Load, was: Load, is: Load): Load {
  const result = { ...total }
  for (const key of Object.keys(total) as (keyof Load)[])
    result[key] = (hundredths(total[key]) - hundredths(was[key]) + hundredths(is[key])) / 100
  return result
}

// In integers, so that a total does not drift however often it changes. A tier of another version
// may not tell all.
const hundredths = (value: number | undefined) => Math.round((value ?? 0) * 100)

export const sameLoad = (one: Load, other: Load) =>
  (Object.keys(one) as (keyof Load)[]).every(key => one[key] === other[key])
