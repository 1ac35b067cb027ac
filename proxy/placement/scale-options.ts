// What is known when it is decided how many hosts there should be, and what the operator wants.

import type { ScaledHost } from '../../lib/wanted.ts'

export interface ScaleOptions {
  /** The part of the cores that is to be used, above 0 and up to 1. */
  target: number
  /** Cores to have beyond the need. */
  spare: number
  /** The fewest and the most hosts. */
  min: number
  max: number
  /** For how long a host must not have been needed before it is given back, in ms. */
  quiet: number
  /** How long a host may take to be there before another one is asked for, in ms. */
  startTimeout: number
  /** For how long after the begin no hosts are asked for, because those there come in, in ms. */
  settle: number
  /** How often it is decided, in ms. */
  interval: number
}

export const SCALE_DEFAULTS: ScaleOptions = {
  target: 0.6,
  spare: 0,
  min: 1,
  max: 10,
  quiet: 300_000,
  startTimeout: 300_000,
  settle: 30_000,
  interval: 1_000
}

export interface Situation {
  /** Those there are: that take Workers, have lost their connection, or drain. */
  hosts: readonly ScaledHost[]
  /** The names of those that should be there, too, but cannot be reached. They count for `max`. */
  unreachable: readonly string[]
  /** Workers that no host took since the last time. */
  refused: number
  /** In ms, by a clock that only goes forward. */
  at: number
}
