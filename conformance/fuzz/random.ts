// Random choices that a seed decides: the same ones on every machine. (fast-check's arbitraries
// make the arguments of calls, but are too slow to make each of 200,000 frames.)

import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64'
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus'
import { skipN } from 'pure-rand/utils/skipN'

// Seeds that are alike begin alike.
const WARM_UP = 32

export class Random {
  readonly #generator: ReturnType<typeof xoroshiro128plus>

  constructor(seed: number) {
    this.#generator = xoroshiro128plus(seed)
    skipN(this.#generator, WARM_UP)
  }

  /** From 0 to below 1. */
  next(): number {
    return uniformFloat64(this.#generator)
  }

  between(least: number, most: number): number {
    return least + this.next() * (most - least)
  }

  /** A whole number, from 0 to below n. */
  below(n: number): number {
    return Math.floor(this.next() * n)
  }

  /** Once in n times. */
  oneIn(n: number): boolean {
    return this.below(n) === 0
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!
  }

  shuffle<T>(list: readonly T[]): T[] {
    const result = [...list]
    for (let i = result.length - 1; i > 0; i--) {
      const j = this.below(i + 1)
      ;[result[i], result[j]] = [result[j]!, result[i]!]
    }
    return result
  }

  /** A seed for something else. */
  seed(): number {
    return this.below(2 ** 32)
  }
}
