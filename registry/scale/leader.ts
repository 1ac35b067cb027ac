// Which registry starts and ends hosts: one of those that share a store, and another one when it is
// gone.

import { EventEmitter } from 'node:events'
import type { Store } from '../store/store.ts'

export interface LeaderOptions {
  store: Pick<Store, 'lead'>
  /** The name of this registry in the store. */
  registry: string
  /** How long the one that leads is waited for when it is gone, in ms. */
  lease: number
}

export class Leader extends EventEmitter<{ change: [leads: boolean] }> {
  readonly #options: LeaderOptions
  readonly #timer: NodeJS.Timeout
  #until = 0
  #leads = false

  constructor(options: LeaderOptions) {
    super()
    this.#options = options
    this.#timer = setInterval(() => void this.#renew(), options.lease / 3).unref()
    void this.#renew()
  }

  /** Not while the store is away: two that start hosts would start too many. */
  get leads() {
    return this.#leads && performance.now() < this.#until
  }

  close() {
    clearInterval(this.#timer)
    this.#leads = false
  }

  async #renew() {
    const { store, registry, lease } = this.#options
    const until = performance.now() + lease
    try {
      const leads = await store.lead('scale', registry, lease)
      if (leads) this.#until = until
      this.#set(leads)
    } catch {
      // The store is away: what was told last holds until the lease is over.
      this.#set(this.leads)
    }
  }

  #set(leads: boolean) {
    if (leads === this.#leads) return
    this.#leads = leads
    this.emit('change', leads)
  }
}
