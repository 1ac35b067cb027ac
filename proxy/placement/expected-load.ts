// What one more transport or Consumer will cost a Worker: learned from what those cost that it has.

export interface Experience {
  /** What the Worker used of its core over the last interval, 0 to 1. */
  used: number
  /** How many transports and Consumers that was for. */
  objects: number
}

// A core carries some 500 Consumers; a Worker with fewer objects than this says little of what one
// costs.
const USUAL_LOAD = 0.002
const CONFIDENCE = 50

/** The load to expect of one more, as a share of a core. */
export const expectedLoad = ({ used, objects }: Experience): number =>
  (used + USUAL_LOAD * CONFIDENCE) / (objects + CONFIDENCE)
