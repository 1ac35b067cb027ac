// Requests of a tier's own, on a link that also carries those of others.

import { randomBytes } from 'node:crypto'
import type { Announcement } from '../lib/codec.ts'
import { ConnectionError, reviveError, unknownOutcome } from '../lib/errors.ts'
import type { Frame, Link } from '../lib/tier.ts'
import { type Id, decode, encodeNotification, encodeRequest } from '../lib/wire.ts'

export interface CallerOptions {
  /** Of the tier, for errors. */
  name?: string
  /** How long the tier may take to answer, in ms. Default: as long as it is there. */
  timeout?: number
}

interface Pending {
  method: string
  since: number
  resolve(result: unknown): void
  reject(error: Error): void
}

/** How often, within the time that an answer may take, it is looked for. */
export const TIMEOUT_CHECKS = 10

export const timeoutError = (name: string, method: string, timeout: number) =>
  new ConnectionError(`the host ${name} did not answer ${method}() within ${timeout} ms`)

export class Caller {
  readonly #link: Link
  // Of another form than those of clients, which are numbers, and of another tier's own.
  readonly #prefix = `${randomBytes(6).toString('base64url')}~`
  readonly #pending = new Map<Id, Pending>()
  #serial = 0
  #closed: Error | undefined

  constructor(link: Link, { name, timeout }: CallerOptions = {}) {
    this.#link = link
    const timer = timeout === undefined ? undefined : setInterval(() => this.#checkTimeouts(timeout, name), timeout / TIMEOUT_CHECKS).unref()
    link.once('close', error => {
      clearInterval(timer)
      this.#fail(error)
    })
  }

  call(method: string, ...params: unknown[]): Promise<unknown> {
    return this.#ask(method, params)
  }

  /** @param onAnswered is called before anything that follows the answer arrives */
  async recall(onAnswered: () => void): Promise<Announcement[]> {
    return await this.#ask('tier.recall', [], onAnswered) as Announcement[]
  }

  #ask(method: string, params: unknown[], onAnswered?: () => void): Promise<unknown> {
    if (this.#closed) return Promise.reject(this.#closed)
    const id = this.#prefix + ++this.#serial
    return new Promise((resolve, reject) => {
      const answered = (result: unknown) => {
        onAnswered?.()
        resolve(result)
      }
      this.#pending.set(id, { method, since: performance.now(), resolve: answered, reject })
      this.#link.send(encodeRequest(id, method, params))
    })
  }

  notify(method: string, ...params: unknown[]) {
    this.#link.send(encodeNotification(method, params))
  }

  /** Takes the answer to a request of ours; false for any other. */
  takes(id: Id | null | undefined, frame: Frame): boolean {
    if (typeof id !== 'string' || !id.startsWith(this.#prefix)) return false
    const pending = this.#pending.get(id)
    if (!pending) return true // It took too long, or the tier had forgotten.
    this.#pending.delete(id!)
    const { error, result } = decode(frame) as Extract<ReturnType<typeof decode>, { method?: undefined }>
    if (error) pending.reject(reviveError(error))
    else pending.resolve(result)
    return true
  }

  /** The tier has forgotten what it was asked. */
  forgotten() {
    for (const { method, reject } of this.#pending.values()) reject(unknownOutcome(method))
    this.#pending.clear()
  }

  #checkTimeouts(timeout: number, name = '') {
    for (const [id, { method, since, reject }] of this.#pending) {
      if (performance.now() - since < timeout) return // They are in the order in which they were sent.
      this.#pending.delete(id)
      reject(timeoutError(name, method, timeout))
    }
  }

  #fail(error: Error = new ConnectionError('the connection was closed')) {
    this.#closed = error
    for (const { reject } of this.#pending.values()) reject(error)
    this.#pending.clear()
  }
}
