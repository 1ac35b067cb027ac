// Numbers that a seed repeats.

export type Random = ReturnType<typeof randomOf>

/** mulberry32 */
export function randomOf(seed: number) {
  let state = seed >>> 0
  const next = () => {
    state = state + 0x6d2b79f5 >>> 0
    let t = Math.imul(state ^ state >>> 15, state | 1)
    t ^= t + Math.imul(t ^ t >>> 7, t | 61)
    return ((t ^ t >>> 14) >>> 0) / 2 ** 32
  }
  return {
    /** From 0 to 1. */
    next,
    between: (least: number, most: number) => least + next() * (most - least),
    pick: <T>(from: readonly T[]): T => from[Math.floor(next() * from.length)]!
  }
}
