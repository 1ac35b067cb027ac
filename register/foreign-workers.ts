// A mediasoup that the hooks do not reach, because it is in a bundle for example, starts a worker in
// this process: that is how it can be noticed.

import { type ChildProcess } from 'node:child_process'
import { subscribe } from 'node:diagnostics_channel'
import { basename } from 'node:path'

const WORKER = /^mediasoup-worker(\.exe)?$/

/** Tells, once, that a mediasoup-worker was started here. */
export function watchForWorkers(onWorker: (program: string) => void) {
  let told = false
  subscribe('child_process', message => {
    const { process: child } = message as { process: ChildProcess }
    // It is not known yet what it runs.
    process.nextTick(() => {
      if (told || !isWorker(child.spawnfile)) return
      told = true
      onWorker(child.spawnfile)
    })
  })
}

const isWorker = (program: string | undefined) =>
  program !== undefined &&
  (WORKER.test(basename(program)) || program === process.env.MEDIASOUP_WORKER_BIN)
