// A child of a cluster: whether it is there, what it says of itself, and its load.

import { EventEmitter } from 'node:events'
import pRetry, { AbortError } from 'p-retry'
import { ConnectionError, IncompatibleError } from '../../lib/errors.ts'
import type { Hello } from '../../lib/hello.ts'
import { IDLE, type Load } from '../../lib/load.ts'
import type { Tier } from '../../lib/tier.ts'
import { decode } from '../../lib/wire.ts'
import { Caller } from '../caller.ts'
import { headOf } from '../../lib/head.ts'
import { PlacedWorkers } from '../placement/placed-workers.ts'

export type ChildEvents = {
  /** It can be reached. */
  up: [hello: Hello]
  /** It cannot be reached any more, and is tried again. */
  down: [error: Error]
  /** It could not be reached, for another reason than before. It is tried again. */
  failed: [error: Error]
  /** It may not be a child: it is not like its siblings. */
  refused: [error: Error]
  /** Its load is another one, or what was promised to it, or its connection was lost or regained. */
  load: []
}

/** Throws an IncompatibleError for a child that is not like its siblings. */
type Check = (hello: Hello) => void

export class Child extends EventEmitter<ChildEvents> {
  readonly tier: Tier
  readonly #via: () => string[]
  readonly #check: Check
  readonly #timeout: number
  readonly #removed = new AbortController()
  /** Undefined while it cannot be reached. */
  hello: Hello | undefined
  load: Load = IDLE
  /** Its connection broke. The sessions on it live on if it is regained, but until then it gets no new Workers. */
  lost = false
  readonly #placed = new PlacedWorkers()
  #failure: string | undefined

  /**
   * @param via the tiers on the way to it
   * @param timeout how long it may take to answer, in ms
   */
  constructor(tier: Tier, via: () => string[], check: Check, timeout: number) {
    super()
    this.tier = tier
    this.#via = via
    this.#check = check
    this.#timeout = timeout
  }

  /** Workers placed on it that its load does not count yet. */
  get promised() {
    return this.#placed.count
  }

  /** A Worker is on its way to it; what is returned must be told once whether it was made. */
  place(): (isMade: boolean) => void {
    const placed = this.#placed.place()
    this.emit('load')
    return isMade => {
      placed(isMade)
      this.emit('load')
    }
  }

  /** Watches the child until it is removed, on a session of our own through which nothing is created. */
  async watch(): Promise<void> {
    const { signal } = this.#removed
    try {
      while (!signal.aborted) {
        const { closed } = await pRetry(() => this.#open(), {
          retries: Infinity,
          randomize: true,
          factor: 1.5, // Sessions that were there before wait for it.
          minTimeout: 100,
          maxTimeout: 10_000,
          signal,
          onFailedAttempt: ({ error }) => this.#failed(error)
        })
        this.#failure = undefined
        const error = await closed
        this.hello = undefined
        this.emit('down', error ?? new ConnectionError('the connection was closed'))
      }
    } catch (error) {
      if (!signal.aborted) this.emit('refused', error as Error)
    }
  }

  // Tried again and again, it is told once.
  #failed(error: Error) {
    if (error.message !== this.#failure) this.emit('failed', error)
    this.#failure = error.message
  }

  /** No longer watches it. */
  remove() {
    this.#removed.abort()
  }

  /** Opens a session; `closed` says when, and why, it is lost. */
  async #open(): Promise<{ closed: Promise<Error | undefined> }> {
    const { signal } = this.#removed
    const link = await this.tier.open()
    const remove = () => link.close()
    signal.addEventListener('abort', remove)
    const closed = new Promise<Error | undefined>(resolve => link.once('close', resolve))
    void closed.then(() => signal.removeEventListener('abort', remove))
    link.on('lost', () => this.#setLost(true))
    link.on('regained', () => this.#setLost(false))
    const caller = new Caller(link, { name: this.tier.name, timeout: this.#timeout })
    link.on('frame', frame => {
      const head = headOf(frame)
      if (caller.takes(head?.id, frame)) return
      if (head?.method === 'tier.forgot') return link.close() // Another one in its place: it has to be asked again.
      if (head?.method !== 'tier.load') return
      this.#report((decode(frame) as unknown as { params: [Load] }).params[0])
    })
    try {
      signal.throwIfAborted()
      const hello = await caller.call('tier.hello', { via: this.#via() }) as Hello
      this.#report(await caller.call('tier.load') as Load)
      // In the turn in which it is up, so that two that come up at once are checked against each other.
      this.#check(hello)
      this.hello = hello
      this.lost = false
      this.emit('up', hello)
      return { closed }
    } catch (error) {
      link.close()
      throw error instanceof IncompatibleError ? new AbortError(error) : error
    }
  }

  #setLost(lost: boolean) {
    this.lost = lost
    this.emit('load')
  }

  #report(load: Load) {
    this.load = load
    this.#placed.reported()
    this.emit('load')
  }
}
