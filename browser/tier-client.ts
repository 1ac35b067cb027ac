// A client of one tier: its calls, and one survey. It connects again by itself.

import { JSONRPCClient } from 'json-rpc-2.0'
import type { Survey, SurveyChanges, SurveyOptions } from '../lib/survey.ts'
import { Listeners } from './listeners.ts'
import { type Socket, openSocket } from './socket.ts'
import { LiveSurvey } from './live-survey.ts'

export interface TierClientOptions {
  /** Says who connects: a token, or what gives one at each connect. Not needed where none is. */
  token?: string | (() => string | Promise<string>)
  /** How long nothing may come before it connects anew, in ms. Default 4 s. */
  silence?: number
}

/**
 * - connecting: there is no connection now, and one is tried
 * - open:       calls are answered
 * - refused:    the tier does not let it in, or has ended its session; `reason` says why
 * - closed:     by close()
 */
export type TierState = 'connecting' | 'open' | 'refused' | 'closed'

// No valid token, no scope, or ended by the operator: another try would end as this one did. (As in
// lib/errors.ts, which needs Node.js.)
const FINAL_CLOSES = [1008, 4401, 4403]
const FINAL_ERRORS: unknown[] = [-32003, -32002, -32601, -32602]

/**
 * @example
 * ```ts
 * const tier = new TierClient('wss://entry.example:4100', { token })
 * const survey = tier.survey({ detail: 'workers' })
 * survey.onChange(() => draw(survey.entries))
 * ```
 */
export class TierClient {
  readonly #url: string
  readonly #options: TierClientOptions
  readonly #socket: Socket
  readonly #rpc = new JSONRPCClient(message => this.#socket.send(JSON.stringify(message)))
  readonly #listeners = new Listeners<TierState>()
  #state: TierState = 'connecting'
  #reason: string | undefined
  #survey: { view: LiveSurvey; options: SurveyOptions } | undefined
  #ready = Promise.withResolvers<void>()

  constructor(url: string | URL, options: TierClientOptions = {}) {
    this.#url = String(url)
    this.#options = options
    this.#ready.promise.catch(() => {}) // Nobody may wait for it.
    this.#socket = openSocket(this.#url, options.silence ?? 4_000, {
      onOpen: () => void this.#begin(),
      onMessage: text => this.#receive(text),
      onClose: (code, reason) => this.#onClose(code, reason),
      onSilence: () => void this.#rpc.request('tier.hello', []).then(undefined, () => {})
    })
  }

  get state() {
    return this.#state
  }

  /** Why it is not open, where that is known. */
  get reason() {
    return this.#reason
  }

  /** Calls `listener` with each new state. Answers what ends that. */
  onState(listener: (state: TierState) => void): () => void {
    return this.#listeners.add(listener)
  }

  /**
   * Calls a method, with its arguments as PROTOCOL.md has them; waits for the connection. Rejects
   * with an Error that has the `code` and `message` of the tier.
   */
  async call(method: string, ...args: unknown[]): Promise<unknown> {
    await this.#ready.promise
    return this.#rpc.request(method, args)
  }

  /**
   * What the tier tells of its tree, from now on and after each reconnect. A session has one survey:
   * asked again, this looks at something else.
   */
  survey(options: SurveyOptions = {}): LiveSurvey {
    this.#survey ??= { view: new LiveSurvey(next => this.survey(next)), options }
    this.#survey.options = options
    if (this.#state === 'open') this.#subscribe().catch(error => this.#fail(error))
    return this.#survey.view
  }

  close() {
    if (this.#state === 'closed') return
    this.#socket.close()
    this.#end('closed', `the client of ${this.#url} was closed`)
  }

  async #begin() {
    const { token } = this.#options
    try {
      if (token !== undefined)
        await this.#rpc.request('tier.authenticate', [
          { token: typeof token === 'function' ? await token() : token }
        ])
      if (this.#survey) await this.#subscribe()
      else await this.#rpc.request('tier.hello', [])
    } catch (error) {
      this.#fail(error as Error)
      return
    }
    this.#reason = undefined
    this.#ready.resolve()
    this.#become('open')
  }

  #fail(error: Error & { code?: number }) {
    this.#reason = error.message
    if (FINAL_ERRORS.includes(error.code)) this.#refuse(error.message)
    else this.#socket.reopen()
  }

  async #subscribe() {
    const { view, options } = this.#survey!
    view.replace((await this.#rpc.request('tier.survey', [options])) as Survey)
  }

  #receive(text: string) {
    const message = JSON.parse(text) as { id?: number; method?: string; params?: unknown[] }
    if (message.method === undefined) this.#rpc.receive(message as never)
    else if (message.method === 'tier.survey')
      this.#survey?.view.apply(message.params![0] as SurveyChanges)
  }

  #onClose(code: number, reason: string): boolean {
    this.#rpc.rejectAllPendingRequests(reason || 'the connection broke')
    if (this.#state === 'closed' || this.#state === 'refused') return false
    if (FINAL_CLOSES.includes(code)) {
      this.#refuse(reason)
      return false
    }
    this.#reason ||= reason
    if (this.#state === 'open') this.#ready = Promise.withResolvers()
    this.#ready.promise.catch(() => {})
    this.#become('connecting')
    return true
  }

  #refuse(reason: string) {
    this.#end('refused', reason)
    this.#socket.close()
  }

  #end(state: TierState, reason: string) {
    this.#reason = reason
    this.#ready.reject(new Error(reason)) // Who waits,
    this.#ready = Promise.withResolvers() // and who calls from now on.
    this.#ready.promise.catch(() => {})
    this.#ready.reject(new Error(reason))
    this.#become(state)
    this.#rpc.rejectAllPendingRequests(reason)
  }

  #become(state: TierState) {
    if (state === this.#state) return
    this.#state = state
    this.#listeners.tell(state)
  }
}
