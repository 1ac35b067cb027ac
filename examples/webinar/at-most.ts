// Calls that are made in turn: only so many at the same time, the first one first.

export type InTurn = <T>(call: () => Promise<T>) => Promise<T>

export function atMost(count: number): InTurn {
  const waiting: (() => void)[] = []
  let running = 0

  return async call => {
    if (running < count) running++
    else await new Promise<void>(resolve => waiting.push(resolve))
    try {
      return await call()
    } finally {
      const next = waiting.shift()
      if (next)
        next() // It takes this one's place.
      else running--
    }
  }
}
