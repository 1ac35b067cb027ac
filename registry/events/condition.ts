// What a host does, as its registry sees it.

import type { HostState } from '../hosts/fleet.ts'
import type { HostCondition } from './host-states.ts'

export interface Load {
  readonly capacity: number
  readonly used: number
}

// One that was full has room again when a part of its cores is free: not with each measurement.
const ROOM_SHARE = 0.1

/**
 * @param state undefined where it is not known here
 * @param was what was told last
 */
export function conditionOf(
  state: HostState | undefined,
  load: Load | undefined,
  was: HostCondition
): HostCondition {
  if (state === 'draining') return 'draining'
  // Its connection is lost, or there was none yet: the store says when it is gone.
  if (state !== 'up') return undefined
  // An application server that has not told its load.
  if (!load) return was === 'full' ? was : 'up'
  const full = was === 'full' ? load.capacity * (1 - ROOM_SHARE) : load.capacity
  return load.used >= full ? 'full' : 'up'
}
