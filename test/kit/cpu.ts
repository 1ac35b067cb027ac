// How much CPU processes use, as Linux counts it.

import { readFileSync } from 'node:fs'

const TICKS_PER_SECOND = 100

/** User and system time of a process, in seconds. */
export function cpuOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The name of the program, before these, may have spaces.
  const [user, system] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13)
    .map(Number)
  return (user! + system!) / TICKS_PER_SECOND
}

/** How many cores each group of processes uses, from now until it is asked. */
export function watchCpu(groups: () => Record<string, number[]>) {
  const begin = performance.now()
  const before = new Map(
    Object.values(groups())
      .flat()
      .map(pid => [pid, cpuOf(pid)])
  )
  return function coresUsed(): Record<string, number> {
    const seconds = (performance.now() - begin) / 1_000
    const used = (pid: number) => cpuOf(pid) - (before.get(pid) ?? 0)
    return Object.fromEntries(
      Object.entries(groups()).map(([name, pids]) => [
        name,
        pids.reduce((sum, pid) => sum + used(pid), 0) / seconds
      ])
    )
  }
}
