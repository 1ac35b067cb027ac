// What is said of a host that is to end: while it drains it takes no new Workers and Routers, and applications leave it.

import type { Handle } from './frame.ts'

/** The parameter of `tier.drain`. */
export interface DrainOptions {
  /** When the host ends, whatever is on it, in ms from now. Default: as it was told before, or else when it is empty. */
  deadline?: number
  /** It does not end. */
  cancel?: boolean
}

/** The answer to `tier.drain`, and its notifications. */
export interface DrainState {
  draining: boolean
  /** What is left on the host; it is empty without Workers. */
  workers: number
  routers: number
  consumers: number
  /** In ms from now. */
  deadline?: number
  /** Why it is over. */
  ended?: 'empty' | 'deadline' | 'cancelled'
}

/** The parameter of `tier.draining`, which a session with Workers on the host is told. */
export interface Draining {
  /** The host: the leaf, by the name that starts its handles. */
  node: string
  /** When it ends, whatever is on it, in ms from now. */
  deadline?: number
  /** It does not drain any more. */
  cancelled?: boolean
  /** The session's Workers that end with it. */
  workers: Handle[]
}
