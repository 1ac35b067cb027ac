// How many cores are needed, whoever has them.

import type { ScaleOptions, Situation } from './scale-options.ts'

export interface Need {
  cores: number
  reason: string
}

/**
 * A Worker wants a core of its own, unless it is shared. A host of which nothing is known is full: it
 * is needed as it is, and has no room. What is on a host that is given back counts where it moves to.
 */
export function needOf({ hosts, refused }: Situation, { target, spare }: ScaleOptions): Need {
  const active = hosts.filter(({ draining }) => !draining)
  const unknown = sum(active, each => (each.known ? 0 : each.capacity))
  const counted = hosts.filter(each => (each.draining ? !each.givenBack : each.known))
  const own = counted.filter(({ shared }) => !shared)
  const [used, ownUsed] = [sum(counted, each => each.used), sum(own, each => each.used)]
  const workers = sum(own, each => each.workers) + refused
  const cores = Math.max(ownUsed / target, workers) + (used - ownUsed) / target
  const total = sum(active, each => each.capacity)
  return {
    cores: hundredths(cores + unknown + spare),
    reason:
      workers > ownUsed / target
        ? `${workers} Workers want a core each, of ${total}`
        : `${hundredths(used)} of ${total} cores are used, and ${target} is the target`
  }
}

export const hundredths = (value: number) => Math.round(value * 100) / 100

export const sum = <T>(all: readonly T[], of: (each: T) => number) =>
  all.reduce((total, each) => total + of(each), 0)
