// Few Workers, because few Workers mean few pipes: fills one up to a watermark before it takes the
// next.

import type { Place, Policy, Situation } from './policy.ts'

/**
 * The most loaded Worker under the watermark that already holds the Router, then any under the
 * watermark, then a new one, then the least loaded.
 *
 * @param watermark the load of a Worker, 0 to 1, at which it gets no more as long as there is
 *   another way
 */
export function pack(watermark = 0.6): Policy {
  return <P extends Place>({ places, mayGrow }: Situation<P>) => {
    const under = places.filter(({ load }) => load < watermark)
    return (
      most(under.filter(({ holdsRouter }) => holdsRouter)) ??
      most(under) ??
      (mayGrow ? undefined : least(places))
    )
  }
}

const most = <P extends Place>(places: P[]) => best(places, (one, other) => one.load > other.load)
const least = <P extends Place>(places: P[]) => best(places, (one, other) => one.load < other.load)

function best<P>(places: P[], isBetter: (one: P, other: P) => boolean): P | undefined {
  return places.reduce<P | undefined>(
    (chosen, place) => (chosen === undefined || isBetter(place, chosen) ? place : chosen),
    undefined
  )
}
