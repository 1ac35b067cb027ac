// Requests of a tier's own, on a link that also carries those of others.

import { randomBytes } from 'node:crypto'
import type { Announcement } from '../lib/codec.ts'
import { ConnectionError, reviveError, unknownOutcome } from '../lib/errors.ts'
import type { RecallOptions, Recalled } from '../lib/recall.ts'
import type { Frame, Link } from '../lib/tier.ts'
import { type Id, decode, encodeNotification, encodeRequest } from '../lib/wire.ts'

export interface RpcClientOptions {
  /** Of the tier, for errors. */
  name?: string
  /** How long the tier may take to answer, in ms. Default: as long as it is there. */
  timeout?: number
}

/** Is given what `tier.recalled` tells, before anything that follows arrives. */
export type OnRecalled = (recalled: Recalled) => void

interface Pending {
  method: string
  since: number
  onRecalled: OnRecalled | undefined
  /** It was sent on a connection that broke. */
  isUncertain: boolean
  resolve(result: unknown): void
  reject(error: Error): void
}

/** How often, within the time that an answer may take, it is looked for. */
export const TIMEOUT_CHECKS = 10

export const timeoutError = (name: string, method: string, timeout: number) =>
  new ConnectionError(`the host ${name} did not answer ${method}() within ${timeout} ms`)

export class RpcClient {
  readonly #link: Link
  // Of another form than those of clients, which are numbers, and of another tier's own.
  readonly #prefix = `${randomBytes(6).toString('base64url')}~`
  readonly #pending = new Map<Id, Pending>()
  #serial = 0
  #closed: Error | undefined

  constructor(link: Link, { name, timeout }: RpcClientOptions = {}) {
    this.#link = link
    const timer =
      timeout === undefined
        ? undefined
        : setInterval(() => this.#checkTimeouts(timeout, name), timeout / TIMEOUT_CHECKS).unref()
    link.on('lost', () => {
      for (const pending of this.#pending.values()) pending.isUncertain = true
    })
    link.once('close', error => {
      clearInterval(timer)
      this.#fail(error)
    })
  }

  call(method: string, ...params: unknown[]): Promise<unknown> {
    return this.#ask(method, params)
  }

  /** Calls, and reads the result before anything that follows it arrives. */
  callAndRead<T>(read: (result: unknown) => T, method: string, ...params: unknown[]): Promise<T> {
    return this.#ask(method, params, undefined, read) as Promise<T>
  }

  /** Asks what a session has on nodes, and answers how many objects. */
  async recall(options: RecallOptions, onRecalled: OnRecalled): Promise<number> {
    return ((await this.#ask('tier.recall', [options], onRecalled)) as { count: number }).count
  }

  #ask(
    method: string,
    params: unknown[],
    onRecalled?: OnRecalled,
    read = (result: unknown): unknown => result
  ): Promise<unknown> {
    if (this.#closed) return Promise.reject(this.#closed)
    const id = this.#prefix + ++this.#serial
    return new Promise((resolve, reject) => {
      this.#pending.set(id, {
        method,
        since: performance.now(),
        onRecalled,
        isUncertain: false,
        resolve: result => {
          try {
            resolve(read(result))
          } catch (error) {
            reject(error as Error)
          }
        },
        reject
      })
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
    if (!pending) {
      this.closeUnknown(frame) // It took too long, or the tier had forgotten.
      return true
    }
    this.#pending.delete(id!)
    const { error, result } = decode(frame) as Extract<
      ReturnType<typeof decode>,
      { method?: undefined }
    >
    if (error) pending.reject(reviveError(error))
    else pending.resolve(result)
    return true
  }

  // ← {"method": "tier.recalled", "params": [{"id": "…", "entries": [["k3x/1", "Worker", null, {}], …], "done": ["k3x"]}]}
  told(frame: Frame) {
    const [recalled] = (decode(frame) as unknown as { params: [Recalled] }).params
    const pending = this.#pending.get(recalled.id)
    if (!pending) return
    pending.since = performance.now()
    pending.onRecalled?.(recalled)
  }

  /** Nobody knows what the answer to a call that was given up has made. */
  closeUnknown(frame: Frame) {
    if (typeof frame !== 'string') return
    const { result } = decode(frame) as { result?: Partial<Announcement> | null }
    if (result?.$ !== undefined && result.kind !== undefined)
      this.notify(`${result.kind}.close`, result.$)
  }

  /**
   * The tier is another one than before: what it was asked before its connection broke is not
   * answered any more.
   */
  forgotten() {
    for (const [id, { method, isUncertain, reject }] of this.#pending) {
      if (!isUncertain) continue
      this.#pending.delete(id)
      reject(unknownOutcome(method))
    }
  }

  #checkTimeouts(timeout: number, name = '') {
    for (const [id, { method, since, reject }] of this.#pending) {
      if (performance.now() - since < timeout) continue
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
