// A child of a cluster: whether it can be reached, what it says of itself, and its load.

import { EventEmitter } from 'node:events'
import pRetry from 'p-retry'
import type { DrainOptions, DrainState } from '../../lib/drain.ts'
import { ConnectionError } from '../../lib/errors.ts'
import type { Hello } from '../../lib/hello.ts'
import type { IceServer } from '../../lib/ice-server.ts'
import { IDLE, type Load } from '../../lib/load.ts'
import type { Frame, Tier } from '../../lib/tier.ts'
import { decode, headerOf } from '../../lib/wire.ts'
import { ChildSurvey } from '../child-survey.ts'
import { RpcClient } from '../rpc-client.ts'
import { PlacedWorkers } from '../placement/placed-workers.ts'

export type ChildEvents = {
  /** It has ended, because it was drained by this tier: it is empty, or its time is over. */
  drained: []
  /** It can be reached, and said hello. */
  answered: []
  /** It cannot be reached any more, and is tried again. */
  down: [error: Error]
  /** It could not be used, for another reason than before. It is tried again. */
  failed: [error: Error]
  /**
   * Its load is another one, or what was promised to it, or its connection was lost or regained.
   */
  load: []
}

export class Child extends EventEmitter<ChildEvents> {
  readonly tier: Tier
  /** Its name for the keys of sessions on it, which no two children have in common. */
  readonly keyName: string
  readonly #via: () => string[]
  readonly #timeout: number
  readonly #removed = new AbortController()
  /** Undefined while it cannot be reached. */
  hello: Hello | undefined
  /** What its siblings have in common with it. */
  likeness = ''
  /** Whether it is up: it can be reached, and is like its siblings. Its cluster decides. */
  isUp = false
  /** Why it is not up although it can be reached. Kept until it is, so that it is told once. */
  refusal: string | undefined
  load: Load = IDLE
  /** How many times it has told its load. */
  reports = 0
  /** What there is below it, while somebody looks. */
  readonly survey = new ChildSurvey()
  /**
   * Its connection broke. The sessions on it live on if it is regained, but until then it gets no
   * new Workers.
   */
  lost = false
  readonly #placed = new PlacedWorkers()
  // While it can be reached.
  #caller: RpcClient | undefined
  #failure: string | undefined

  /**
   * @param via the tiers on the way to it
   * @param timeout how long it may take to answer, in ms
   * @param keyName for one without a name of its own
   */
  constructor(tier: Tier, via: () => string[], timeout: number, keyName = '') {
    super()
    this.tier = tier
    this.keyName = tier.name ?? keyName
    this.#via = via
    this.#timeout = timeout
  }

  /** What asks it for no session; undefined while it cannot be reached. */
  get rpc(): RpcClient | undefined {
    return this.#caller
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

  /**
   * Lets it end once it is empty, or cancels that.
   *
   * @throws ConnectionError while it cannot be reached.
   */
  async drain(options: DrainOptions): Promise<DrainState> {
    return (await this.#ask('tier.drain', options)) as DrainState
  }

  async iceServers(): Promise<IceServer[]> {
    return (await this.#ask('tier.iceServers')) as IceServer[]
  }

  async #ask(method: string, ...params: unknown[]): Promise<unknown> {
    if (!this.#caller) throw new ConnectionError(`the host ${this.keyName} cannot be reached`)
    return this.#caller.call(method, ...params)
  }

  /**
   * Watches the child until it is removed, on a session of our own through which nothing is
   * created.
   */
  async watch(): Promise<void> {
    const { signal } = this.#removed
    try {
      while (!signal.aborted) {
        const { closed } = await pRetry(() => this.#open().catch(retriable), {
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
        this.#caller = undefined
        const reason = error ?? new ConnectionError('the connection was closed')
        this.survey.closed(reason)
        this.emit('down', reason)
      }
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }

  // It is tried again and again, and told once.
  #failed(error: Error) {
    this.survey.closed(error)
    if (error.message !== this.#failure) this.emit('failed', error)
    this.#failure = error.message
  }

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
    const caller = new RpcClient(link, { name: this.tier.name, timeout: this.#timeout })
    link.on('frame', frame => {
      const head = headerOf(frame)
      if (caller.takes(head?.id, frame)) return
      // Another one in its place: it has to be asked again.
      if (head?.method === 'tier.forgot') return link.close()
      if (head?.method === 'tier.survey')
        return this.survey.told((decode(frame) as unknown as { params: unknown[] }).params[0])
      if (head?.method === 'tier.drain') return this.#drains(frame)
      if (head?.method !== 'tier.load') return
      this.#report((decode(frame) as unknown as { params: [Load] }).params[0])
    })
    try {
      signal.throwIfAborted()
      const hello = (await caller.call('tier.hello', { via: this.#via() })) as Hello
      this.#report((await caller.call('tier.load')) as Load)
      this.hello = hello
      this.#caller = caller
      this.lost = false
      this.survey.opened(caller)
      this.emit('answered')
      return { closed }
    } catch (error) {
      link.close()
      throw error
    }
  }

  #drains(frame: Frame) {
    const [{ ended }] = (decode(frame) as unknown as { params: [DrainState] }).params
    if (ended && ended !== 'cancelled') this.emit('drained')
  }

  #setLost(lost: boolean) {
    this.lost = lost
    this.emit('load')
  }

  #report(load: Load) {
    this.load = { ...IDLE, ...load } // An older tier does not tell all.
    this.reports++
    this.#placed.reported()
    this.emit('load')
  }
}

// p-retry gives up at a TypeError, as a mistake in the code. Here it may be a peer's, and passes.
function retriable(cause: Error): never {
  throw cause instanceof TypeError ? new ConnectionError(cause.message, { cause }) : cause
}
