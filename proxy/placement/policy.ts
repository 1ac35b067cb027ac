// How a spanning Router chooses the Worker of a new transport.

/** A Worker that a transport may go to. */
export interface Place {
  /** What it uses of its core, 0 to 1, and what was promised to it since that was measured. */
  load: number
  /** Whether the Router is on it already. */
  holdsRouter: boolean
  /** How many transports of the Router are on it. */
  transports: number
}

export interface Situation<P extends Place> {
  places: P[]
  /** Whether there may be one more Worker. */
  mayGrow: boolean
}

/**
 * Answers one of the places, or undefined for a new Worker. There is at least one place, or room to
 * grow.
 */
export type Policy = <P extends Place>(situation: Situation<P>) => P | undefined
