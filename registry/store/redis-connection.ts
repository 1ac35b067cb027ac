// The connection to Redis: each script is answered in time, or it is an error.

import { EventEmitter } from 'node:events'
import { type RedisClient, type ScriptName, type Scripts, redisClient } from './redis-client.ts'
import { StoreError } from './store.ts'

/** How long Redis may take for an answer, in ms. */
const ANSWER_MS = 2_000
/** How many fields of a hash are asked for at a time. */
const SCANNED = 500

export type RedisConnectionEvents = {
  /** Redis can be asked, or can be asked again: what it sent meanwhile was missed. */
  ready: []
  /** Redis cannot be asked. Told once, until it can. */
  away: [error: Error]
  message: [message: string]
}

export class RedisConnection extends EventEmitter<RedisConnectionEvents> {
  readonly #url: string
  #client: (RedisClient & Scripts) | undefined
  #closed = false
  #isListening = false
  // Until it is connected for the first time, too.
  #isAway: boolean | undefined
  // A script waits for longer than it may: no other one is sent until there is an answer.
  #isHung = false

  constructor(url: string) {
    super()
    this.#url = url
  }

  /** Settles when it is connected, or has failed for the first time: it tries again for ever. */
  async open() {
    const client = await redisClient(this.#url)
    if (this.#closed) return
    this.#client = client
    client.on('ready', () => {
      void this.#listen(client)
      this.#answered()
    })
    client.on('error', error => this.#failed(error))
    const failed = new Promise<void>(resolve => this.once('away', () => resolve()))
    await Promise.race([this.#connect(client), failed])
  }

  async #connect(client: RedisClient) {
    try {
      await client.connect()
    } catch (error) {
      if (!this.#closed) this.#failed(error as Error)
    }
  }

  // Once: the library does it again for each new connection.
  async #listen(client: RedisClient) {
    if (this.#isListening) return
    this.#isListening = true
    try {
      await client.subscribe('mafalda:changes', message => this.emit('message', message))
    } catch {
      this.#isListening = false // The next connection tries again; what was missed is seen later.
    }
  }

  /** @throws StoreError when there is no answer in time; what Redis says is its message. */
  run(name: ScriptName, args: readonly string[]): Promise<unknown> {
    return this.#inTime(name, client => client[name](...args))
  }

  /** The fields and values of a hash, each at least once. */
  async *entries(hash: string): AsyncGenerator<[field: string, value: string]> {
    let cursor = '0'
    do {
      const options = { COUNT: SCANNED }
      const some = await this.#inTime('HSCAN', client => client.hScan(hash, cursor, options))
      for (const { field, value } of some.entries) yield [field, value]
      cursor = some.cursor
    } while (cursor !== '0')
  }

  close() {
    this.#closed = true
    this.#client?.destroy()
  }

  // The library's own timeout is for what was not sent yet. A connection that hangs gets silent, and
  // the library replaces one that is silent.
  async #inTime<T>(what: string, ask: (client: RedisClient & Scripts) => Promise<T>): Promise<T> {
    const client = this.#client
    if (this.#closed || !client) throw new StoreError('the store was closed')
    if (this.#isHung) throw new StoreError('Redis does not answer')
    const { promise: late, reject } = Promise.withResolvers<never>()
    let isSettled = false
    const timer = setTimeout(() => {
      // After what has arrived while this process was busy.
      setImmediate(() => {
        if (isSettled) return
        this.#isHung = true
        const error = new StoreError(`Redis did not answer ${what} within ${ANSWER_MS} ms`)
        this.#failed(error)
        reject(error)
      })
    }, ANSWER_MS)
    try {
      const answer = ask(client)
      answer.then(
        () => this.#answered(),
        () => {} // It is thrown below, or came too late.
      )
      return await Promise.race([answer, late])
    } catch (error) {
      if (error instanceof StoreError) throw error
      throw new StoreError((error as Error).message, { cause: error })
    } finally {
      isSettled = true
      clearTimeout(timer)
    }
  }

  #answered() {
    const wasAway = this.#isAway !== false
    this.#isHung = false
    this.#isAway = false
    if (wasAway) this.emit('ready')
  }

  #failed(error: Error) {
    if (this.#isAway || this.#closed) return
    this.#isAway = true
    this.emit('away', error)
  }
}
