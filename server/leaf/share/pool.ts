// The Workers that the sessions of a host share. A session never has two shares on one Worker: what
// it pipes between its Workers keeps its id, which two processes can have and one cannot, and a
// death takes no more of it than one Worker.

import type * as ms from 'mediasoup/types'
import { errors } from '../../../lib/mediasoup.ts'
import { WorkerShare } from './worker-share.ts'
import type { LoadMeter } from '../load-meter.ts'
import type { WorkerProcesses } from '../worker-processes.ts'
import { type Settings, settingsKey } from './settings-key.ts'
import { SharedWorker, type Tenant } from './shared-worker.ts'

interface Options {
  /** How many Workers there are to be. */
  size: number
  /** How long a Worker stays without shares, in ms. */
  linger: number
  meter: LoadMeter
}

export class Pool {
  readonly #processes: WorkerProcesses
  readonly #options: Options
  readonly #workers = new Set<SharedWorker>()

  constructor(processes: WorkerProcesses, options: Options) {
    this.#processes = processes
    this.#options = options
  }

  /** mediasoup's createWorker() for a session. */
  async createWorker(
    tenant: Tenant,
    { appData, ...settings }: ms.WorkerSettings = {}
  ): Promise<ms.Worker> {
    if (appData && typeof appData !== 'object')
      throw new TypeError('if given, appData must be an object')
    for (;;) {
      const joined = this.#place(tenant, settingsKey(settings))
      const worker = joined ?? this.#start(settings)
      const share = new WorkerShare(worker, tenant, appData)
      try {
        await share.open()
        return share
      } catch (error) {
        worker.leave(share)
        // It died just now: another one will do.
        if (!joined || !(error instanceof errors.WorkerClosedError)) throw error
      }
    }
  }

  /** Ends what lingers. Workers with shares end with these. */
  close() {
    for (const worker of this.#workers) if (worker.idle) worker.close()
  }

  /** Where there is a Worker for a share; undefined when there is to be another one. */
  #place(tenant: Tenant, key: string): SharedWorker | undefined {
    const candidates = [...this.#workers].filter(
      worker => worker.key === key && !hasShare(worker, tenant)
    )
    const idle = candidates.find(({ idle }) => idle)
    const used = [...this.#workers].filter(({ idle }) => !idle).length
    if (idle || used < this.#options.size) return idle
    return candidates.reduce<SharedWorker | undefined>(
      (least, worker) => (least && least.shares.size <= worker.shares.size ? least : worker),
      undefined
    )
  }

  // More than there are to be only when no Worker will do, because mediasoup gives as many as one
  // asks for; but never more than the host may have.
  #start(settings: Settings): SharedWorker {
    const { size, linger, meter } = this.#options
    if (this.#workers.size >= size || this.#processes.isFull)
      [...this.#workers].find(({ idle }) => idle)?.close()
    const worker = new SharedWorker(this.#processes, settings, {
      linger,
      onClosed: () => this.#workers.delete(worker)
    })
    this.#workers.add(worker)
    worker.started.then(
      real => meter.addWorker(real, settings),
      () => {}
    ) // Whoever asked for it is told.
    return worker
  }
}

function hasShare({ shares: shares }: SharedWorker, tenant: Tenant) {
  return [...shares].some(share => share.tenant === tenant && !share.closed)
}
