// mediasoup for an application that knows of no connection: a session is opened when the first
// Worker is made, and closed some time after the last one has.

import type * as ms from 'mediasoup/types'
import { Client } from '../client/client.ts'
import { ConnectionError } from '../lib/errors.ts'
import { EnhancedEventEmitter, type Mediasoup } from '../lib/mediasoup.ts'
import type { Tier } from '../lib/tier.ts'

// With mediasoup, a process ends when it has closed its Workers. A connection would keep it.
const LINGER_MS = 500

export interface LazyOptions {
  tier: Tier
  /** How long createWorker() waits for a session, in ms. */
  wait: number
  /** Is told once why there is no session yet. */
  onWaiting: (why: Error) => void
  /** Is told that there has never been a session, and why. */
  onGivenUp: (why: Error) => void
}

type CreateWorker = (settings?: ms.WorkerSettings) => Promise<ms.Worker>

/** The members of mediasoup that need a session, or what it tells. */
export class LazyMediasoup
  implements Pick<Mediasoup, 'observer' | 'createWorker' | 'setLogEventListeners'>
{
  readonly #options: LazyOptions
  #opening: Promise<Client> | undefined
  #client: Client | undefined
  #listeners: ms.LogEventListeners | undefined
  /** Workers, and calls that make one. */
  #users = 0
  #linger: NodeJS.Timeout | undefined
  #hasOpened = false

  readonly observer: ms.Observer = new EnhancedEventEmitter<ms.ObserverEvents>()

  constructor(options: LazyOptions) {
    this.#options = options
  }

  // An arrow function, because applications destructure.
  readonly createWorker = (async settings => {
    this.#enter()
    try {
      const worker = await this.#makeWorker(settings)
      if (worker.closed) this.#leave()
      else worker.observer.once('close', () => this.#leave())
      return worker
    } catch (error) {
      this.#leave()
      throw error
    }
  }) as CreateWorker as Mediasoup['createWorker']

  readonly setLogEventListeners = (listeners?: ms.LogEventListeners) => {
    this.#listeners = listeners
    this.#client?.mediasoup.setLogEventListeners(listeners)
  }

  async #makeWorker(settings?: ms.WorkerSettings): Promise<ms.Worker> {
    for (;;) {
      const client = await (this.#opening ??= this.#open())
      try {
        return await client.mediasoup.createWorker(settings)
      } catch (error) {
        // The session has died, and all Workers with it: the next one makes this one.
        if (client.alive) throw error
      }
    }
  }

  async #open(): Promise<Client> {
    const client = new Client(this.#options.tier, { reconnect: false })
    this.#client = client
    client.on('close', () => this.#forget(client))
    client.mediasoup.setLogEventListeners(this.#listeners)
    client.mediasoup.observer.on('newworker', worker => this.observer.safeEmit('newworker', worker))
    await this.#waitFor(client)
    return client
  }

  async #waitFor(client: Client) {
    const { wait, onWaiting, onGivenUp } = this.#options
    let why: Error | undefined
    client.on('failed', error => {
      if (!why) onWaiting(error)
      why = error
    })
    const timer = setTimeout(() => client.close(), wait)
    const isOpen = await client.keepOpening()
    clearTimeout(timer)
    if (isOpen) {
      this.#hasOpened = true
      return
    }
    const error = new ConnectionError(
      `createWorker() waited ${wait / 1000} s for a session: ${why?.message ?? 'the tier did not answer'}`,
      { cause: why }
    )
    if (!this.#hasOpened) onGivenUp(error)
    throw error
  }

  #forget(client: Client) {
    if (this.#client !== client) return
    this.#client = undefined
    this.#opening = undefined
  }

  #enter() {
    this.#users++
    clearTimeout(this.#linger)
  }

  #leave() {
    if (--this.#users) return
    this.#linger = setTimeout(() => this.#client?.close(), LINGER_MS)
  }

  /** Ends the session at once: the process is about to end. */
  close() {
    this.#client?.close()
  }
}
