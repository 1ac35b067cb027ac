// A real Worker, and the shares on it.

import type * as ms from 'mediasoup/types'
import type { WorkerProcesses } from '../worker-processes.ts'
import { type LogSettings, type Settings, logSettings, settingsKey } from './settings-key.ts'

/** Who shares Workers with others: a session, of which only the identity counts. */
export type Tenant = object

/** A session's share of a Worker. */
export interface Share {
  readonly tenant: Tenant
  readonly closed: boolean
  /** Whether nobody else is on the Worker. */
  readonly alone: boolean
}

interface Options {
  /** How long it stays without shares, in ms. */
  linger: number
  onClosed(): void
}

export class SharedWorker {
  readonly shares = new Set<Share>()
  /** Rejects with what createWorker() does. */
  readonly started: Promise<ms.Worker>
  /** A share with these settings can be had here; with none while they change. */
  key: string | undefined
  readonly #settings: Settings
  readonly #options: Options
  #logging: LogSettings
  #worker: ms.Worker | undefined
  #closed = false

  constructor(processes: WorkerProcesses, settings: Settings, options: Options) {
    this.#settings = settings
    this.#options = options
    this.#logging = logSettings(settings)
    this.key = settingsKey(settings)
    this.started = this.#start(processes)
  }

  async #start(processes: WorkerProcesses): Promise<ms.Worker> {
    try {
      const worker = (this.#worker = await processes.start(this.#settings))
      worker.observer.once('close', () => this.#end())
      if (worker.closed) this.#end() // It died at once.
      return worker
    } catch (error) {
      this.#end()
      throw error
    }
  }

  get closed() {
    return this.#closed
  }

  /** Whether no session uses it, and it may be closed. */
  get idle() {
    return [...this.shares].every(({ closed }) => closed)
  }

  close() {
    this.#worker?.close()
  }

  #end() {
    if (this.#closed) return
    this.#closed = true
    this.#options.onClosed()
  }

  leave(share: Share) {
    this.shares.delete(share)
    if (!this.shares.size) this.#closeLater()
  }

  #closeLater() {
    setTimeout(() => {
      if (!this.shares.size) this.close()
    }, this.#options.linger).unref()
  }

  /**
   * What is logged is changed for a share that is alone. For one that is not, the worker only
   * checks the settings, and goes back to those that all of them came for.
   */
  async updateSettings(share: Share, settings?: ms.WorkerUpdateableSettings) {
    const worker = await this.started
    if (!share.alone) {
      await Promise.all([worker.updateSettings(settings), worker.updateSettings(this.#logging)])
      return
    }
    const { key } = this
    this.key = undefined
    try {
      await worker.updateSettings(settings)
      this.#logging = logSettings(settings, this.#logging)
      this.key = settingsKey({ ...this.#settings, ...this.#logging })
    } catch (error) {
      this.key = key
      throw error
    }
  }
}
