// The client as an EventEmitter that opens, closes and opens again, for applications that are
// written around one.

import { EventEmitter } from 'node:events'
import { ConnectionError } from '../lib/errors.ts'
import type { Tier } from '../lib/tier.ts'
import { Client, type ClientOptions, type RemoteMediasoup } from './client.ts'
import { type RemoteOptions, remote } from './remote.ts'
import { type MediasoupStats, StatsCollector } from './stats.ts'

export interface RemoteMediasoupClientOptions
  extends Omit<ClientOptions, 'reconnect'>,
    RemoteOptions {
  url?: string | URL
}

export type RemoteMediasoupClientEvents = {
  /** It connects, and connects again when the connection is lost. */
  open: []
  websocketOpen: []
  /** The mediasoup-shaped object; undefined when the session has ended. */
  mediasoup: [mediasoup: RemoteMediasoup | undefined]
  connected: []
  /** The session died, and not by close(). */
  disconnected: [error: Error]
  websocketClose: [wasClean: boolean]
  /** close() was called. */
  close: []
  /** A try to connect failed; the next one follows. */
  error: [error: Error]
}

const [CONNECTING, OPEN, CLOSED, CONNECTED] = [0, 1, 3, 4] as const

/**
 * A client that opens, closes, and may be opened again.
 *
 * @example
 * ```ts
 * const client = new RemoteMediasoupClient('ws://host:4000')
 * await once(client, 'connected')
 * const worker = await client.mediasoup.createWorker()
 * ```
 */
export class RemoteMediasoupClient extends EventEmitter<RemoteMediasoupClientEvents> {
  #url: string | URL | undefined
  readonly #options: RemoteMediasoupClientOptions
  #client: Client | undefined
  #stats: StatsCollector | undefined
  #socketOpen = false
  #destroyed = false

  /** Opens at once when there is a URL: a string, or as `{ url, … }`. */
  constructor(
    url?: string | URL | RemoteMediasoupClientOptions,
    options: RemoteMediasoupClientOptions = {}
  ) {
    super()
    const given =
      typeof url === 'string' || url instanceof URL ? { ...options, url } : { ...options, ...url }
    this.#options = given
    if (given.url) this.open(given.url)
  }

  /** What `import * as mediasoup from 'mediasoup'` gives; undefined until connected. */
  get mediasoup(): RemoteMediasoup | undefined {
    return this.#client?.alive ? this.#client.mediasoup : undefined
  }

  /** WebSocket's 0 (connecting), 1 (open) and 3 (closed); 4 when mediasoup is there. */
  get readyState(): 0 | 1 | 3 | 4 {
    if (!this.#client) return CLOSED
    if (this.#client.alive) return CONNECTED
    return this.#socketOpen ? OPEN : CONNECTING
  }

  get destroyed(): boolean {
    return this.#destroyed
  }

  /**
   * Connects, by default to the last URL.
   *
   * @throws Error when it is open already, destroyed, or no URL is known; TypeError when the URL is
   *   not one of a WebSocket.
   */
  open(url = this.#url): this {
    if (this.#destroyed)
      throw new Error('a RemoteMediasoupClient that is destroyed cannot be opened')
    if (this.#client) throw new Error('the RemoteMediasoupClient is already open')
    if (!url) throw new Error('open() needs a URL, as none was given before')
    const client: Client = new Client(
      this.#watch(remote(url, this.#options), () => this.#client === client),
      this.#options
    )
    this.#url = url
    this.#client = client
    client.on('failed', error => this.emit('error', error))
    client.on('died', error => this.#onDied(error))
    client.on('regained', resumed => {
      if (!resumed) this.#onConnected(client)
    })
    // Later, so that the caller can add listeners first.
    setImmediate(() => this.#start(client))
    return this
  }

  /** Closes the connection and everything that was created. Does nothing when it is closed. */
  close(): void {
    const client = this.#client
    if (!client) return
    this.#client = undefined
    this.#socketOpen = false
    this.#stats = undefined
    client.close()
    this.emit('mediasoup', undefined)
    this.emit('close')
  }

  /** Closes it for good: open() then throws. */
  destroy(): void {
    this.#destroyed = true
    this.close()
  }

  /**
   * The stats of all Workers, Routers, transports, Producers and Consumers.
   *
   * @throws ConnectionError when it is not connected.
   */
  async getStats(): Promise<MediasoupStats> {
    if (!this.#stats || !this.mediasoup)
      throw new ConnectionError('the RemoteMediasoupClient is not connected')
    return this.#stats.getStats()
  }

  async #start(client: Client) {
    if (this.#client !== client) return
    this.emit('open')
    if (await client.keepOpening()) this.#onConnected(client)
  }

  #onConnected(client: Client) {
    if (this.#client !== client) return
    this.#stats ??= new StatsCollector(client.mediasoup)
    this.emit('mediasoup', client.mediasoup)
    // A listener may have closed it.
    if (this.#client === client) this.emit('connected')
  }

  #onDied(error: Error) {
    this.emit('mediasoup', undefined)
    this.emit('disconnected', error)
  }

  /**
   * The tier, with events for its sockets.
   *
   * @param isCurrent whether the client that uses the tier is still the current one
   */
  #watch(tier: Tier, isCurrent: () => boolean): Tier {
    return {
      close: () => tier.close(),
      open: async () => {
        const link = await tier.open()
        const isOpen = (open: boolean, error?: Error) => {
          if (!isCurrent() || this.#socketOpen === open) return
          this.#socketOpen = open
          if (open) this.emit('websocketOpen')
          else this.emit('websocketClose', !(error instanceof ConnectionError) || error.wasClean)
        }
        isOpen(true)
        link.on('lost', error => isOpen(false, error))
        link.on('regained', () => isOpen(true))
        link.on('close', error => isOpen(false, error))
        return link
      }
    }
  }
}
