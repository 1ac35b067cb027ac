// The messages about a drain: the host takes no new Workers and Routers, applications leave it, and
// then it ends.

import type { Handle } from './frame.ts'

/** The parameter of `tier.drain`. */
export interface DrainOptions {
  /**
   * When the host ends, whatever is on it, in ms from now. Default: the deadline that it has, or
   * else when it is empty.
   */
  deadline?: number
  /** Cancels the drain. */
  cancel?: boolean
}

/** The answer to `tier.drain`, and its notifications. */
export interface DrainState {
  draining: boolean
  /** What is left on the host. Without Workers it is empty. */
  workers: number
  routers: number
  consumers: number
  /** In ms from now. */
  deadline?: number
  /** Why it is over. */
  ended?: 'empty' | 'deadline' | 'cancelled'
}

/** The parameter of `tier.draining`, which is sent to sessions with Workers on the host. */
export interface Draining {
  /** The name of the leaf. Its handles begin with it. */
  node: string
  /** When it ends, whatever is on it, in ms from now. */
  deadline?: number
  /** The drain was cancelled. */
  cancelled?: boolean
  /** The session's Workers that end with it. */
  workers: Handle[]
}
