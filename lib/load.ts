// What a tier tells of its load, upwards.

/** The answer to `tier.load`, and its notifications. */
export interface Load {
  /** How many cores Workers may use. */
  capacity: number
  /** How many cores Workers used over the last interval. */
  used: number
  workers: number
  routers: number
  consumers: number
}

export const IDLE: Load = { capacity: 0, used: 0, workers: 0, routers: 0, consumers: 0 }

/** The load of several tiers as that of one. */
export function sum(loads: Iterable<Load>): Load {
  const total = { ...IDLE }
  for (const load of loads) {
    for (const key of Object.keys(total) as (keyof Load)[]) total[key] += load[key]
  }
  return total
}

export const sameLoad = (one: Load, other: Load) => (Object.keys(one) as (keyof Load)[]).every(key => one[key] === other[key])
