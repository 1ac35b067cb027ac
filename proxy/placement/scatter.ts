// Each transport of a Router on another Worker: what tests pipes.

import type { Policy } from './policy.ts'

export const scatter: Policy = ({ places, mayGrow }) => {
  if (mayGrow && places.every(({ transports }) => transports > 0)) return undefined
  return places.toSorted((one, other) => one.transports - other.transports)[0]
}
