// Some tests kill the process of a Worker by its pid. When the tier runs on another host, or in a
// container, that pid is somebody else's here.

import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'

/**
 * Makes process.kill() refuse every process that does not run this program. Reaches the test file
 * only, not jest.
 */
export function guardKill(workerBin: string): void {
  const kill = process.kill.bind(process)
  process.kill = (pid, signal) => {
    if (program(pid) !== workerBin) {
      throw new Error(
        `process ${pid} of this host is not ${workerBin}: the tier runs elsewhere, its Workers cannot be killed from here`
      )
    }
    return kill(pid, signal)
  }
}

function program(pid: number): string | undefined {
  try {
    if (existsSync('/proc/self')) return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')[0]
    return execFileSync('ps', ['-o', 'comm=', '-p', `${pid}`], { encoding: 'utf8' }).trim()
  } catch {
    // There is no such process.
    return undefined
  }
}
