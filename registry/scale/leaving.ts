// Hosts that are given back: each drains, and when it has ended, its machine is given back, too.

import type { DrainOptions } from '../../lib/drain.ts'
import type { ScaledHost, Wanted } from '../../lib/wanted.ts'
import type { Log } from '../log.ts'

/** What is needed of `horizontal`. */
export interface ScaledCluster {
  readonly wanted: Wanted | undefined
  readonly hosts: readonly ScaledHost[]
  drain(name: string, options?: DrainOptions): Promise<unknown>
  on(event: 'drained', listener: (host: { readonly name?: string }) => void): unknown
  off(event: 'drained', listener: (host: { readonly name?: string }) => void): unknown
}

export interface LeavingOptions {
  cluster: ScaledCluster
  /** How long a host may take to be empty, in ms. */
  drainDeadline: number
  /** A host has ended. */
  onGone(name: string): void
  log: Log
}

// What a host needs to end when its time is over.
const GRACE_MS = 10_000

export class Leaving {
  readonly #options: LeavingOptions
  /** When each ends at the latest. */
  readonly #hosts = new Map<string, number>()
  #isBusy = false

  constructor(options: LeavingOptions) {
    this.#options = options
    options.cluster.on('drained', this.#drained)
  }

  close() {
    this.#options.cluster.off('drained', this.#drained)
  }

  /** Brings to an end what another registry had begun: only whoever asks for a drain is told its end. */
  takeOver() {
    const draining = this.#options.cluster.hosts.filter(host => host.draining)
    for (const { name } of draining) void this.#drain(name, {})
  }

  /** Another registry goes on. */
  leave() {
    this.#hosts.clear()
  }

  /** One at a time: what is wanted follows from what the last one did. */
  async giveBack(name: string) {
    if (this.#isBusy || this.#hosts.has(name)) return
    this.#isBusy = true
    await this.#drain(name, { deadline: this.#options.drainDeadline })
    this.#isBusy = false
  }

  async keep(name: string) {
    if (!this.#hosts.delete(name)) return
    const { cluster, log } = this.#options
    try {
      await cluster.drain(name, { cancel: true })
      log.info({ host: name }, 'host is kept')
    } catch (error) {
      log.warn({ host: name, reason: (error as Error).message }, 'host could not be kept')
      this.#hosts.set(name, performance.now())
    }
  }

  /** One that cannot be asked may be in use until its time is over, and not after it. */
  checkLate() {
    const there = new Set(this.#options.cluster.hosts.map(({ name }) => name))
    for (const [name, due] of this.#hosts)
      if (performance.now() > due + GRACE_MS && !there.has(name)) this.#drained({ name })
  }

  async #drain(name: string, options: DrainOptions) {
    const { cluster, drainDeadline, log } = this.#options
    this.#hosts.set(name, performance.now() + drainDeadline) // It may be over before the answer.
    try {
      await cluster.drain(name, options)
      log.info({ host: name }, 'host is given back: it drains')
    } catch (error) {
      this.#hosts.delete(name)
      log.warn({ host: name, reason: (error as Error).message }, 'host could not be drained')
    }
  }

  #drained = ({ name = '' }: { readonly name?: string }) => {
    if (this.#hosts.delete(name)) this.#options.onGone(name)
  }
}
