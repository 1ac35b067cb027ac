// A relay in front of a tier. On demand its connections break, hang, or are slow.

import { once } from 'node:events'
import { type AddressInfo, type Socket, connect, createServer } from 'node:net'
import { setTimeout as setTimeoutPromise } from 'node:timers/promises'

export type Direction = 'up' | 'down'

/**
 * Sees all bytes of one direction of a connection; answers how many of these still pass before it
 * breaks, or undefined to go on.
 */
export type Inspect = (chunk: Buffer) => number | undefined

export interface RelayOptions {
  /** For how long a new connection lasts, in ms; undefined for one that is not to break. */
  lifetime?: () => number | undefined
  inspect?: (direction: Direction, connection: number) => Inspect
}

export interface Relay {
  /** Connect here instead of to the tier. */
  readonly url: string
  /** The number of connections so far. */
  readonly connections: number
  /** Breaks all connections. */
  breakAll(): void
  /** Lets nothing pass until thaw(), not even the end of a connection. */
  freeze(): void
  thaw(): void
  /** The same for good, for the connections that are open. */
  hang(): void
  /**
   * How long a chunk takes, in ms, and how much passes in each direction of a connection, in bytes
   * per second.
   */
  slow(pace: Pace): void
  close(): Promise<void>
}

export interface Pace {
  delay?: number
  rate?: number
}

/** Connections that hang together, if they do. */
interface Epoch {
  hung?: Promise<never>
}

/**
 * Relays to the tier at a URL.
 *
 * @throws TypeError for wss:, whose certificate is not that of the relay.
 */
export async function startRelay(
  url: string,
  { lifetime, inspect }: RelayOptions = {}
): Promise<Relay> {
  const address = new URL(url)
  if (address.protocol !== 'ws:')
    throw new TypeError(
      `a relay takes the URL of a tier without TLS, like ws://host:port (got ${url})`
    )
  const sockets = new Set<Socket>()
  let epoch: Epoch = {}
  let connections = 0
  let pace: Pace = {}
  let frozen: { over: Promise<void>; end(): void } | undefined

  const server = createServer(near => {
    const connection = connections++
    const far = connect(Number(address.port || 80), address.hostname.replace(/^\[|\]$/g, ''))
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.on('error', () => {}) // The other end broke it.
      socket.on('close', () => sockets.delete(socket))
    }
    const left = lifetime?.()
    const life = left === undefined ? undefined : setTimeout(() => near.destroy(), left)
    near.on('close', () => clearTimeout(life))
    void pass(near, far, epoch, inspect?.('up', connection))
    void pass(far, near, epoch, inspect?.('down', connection))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')

  async function pass(from: Socket, to: Socket, epoch: Epoch, inspect: Inspect = () => undefined) {
    try {
      for await (const chunk of from as AsyncIterable<Buffer>) {
        const left = inspect(chunk)
        const { delay = 0, rate = Infinity } = pace
        const wait = delay + (chunk.length / rate) * 1000
        if (wait) await setTimeoutPromise(wait)
        await (epoch.hung ?? frozen?.over)
        if (!to.write(left === undefined ? chunk : chunk.subarray(0, left)))
          await Promise.race([once(to, 'drain'), once(to, 'close')])
        if (left !== undefined) break
      }
    } catch {
      // It broke, which is no less an end.
    }
    await (epoch.hung ?? frozen?.over)
    // What was written leaves first.
    to.destroySoon()
  }

  const breakAll = () => {
    for (const socket of sockets) socket.destroy()
  }

  const thaw = () => {
    frozen?.end()
    frozen = undefined
  }

  return {
    url: Object.assign(new URL(url), {
      host: `127.0.0.1:${(server.address() as AddressInfo).port}`
    }).href,
    get connections() {
      return connections
    },
    breakAll,
    freeze() {
      if (frozen) return
      const { promise, resolve } = Promise.withResolvers<void>()
      frozen = { over: promise, end: resolve }
    },
    thaw,
    hang() {
      epoch.hung = new Promise(() => {})
      epoch = {}
    },
    slow(slower) {
      pace = slower
    },
    async close() {
      const closed = once(server, 'close')
      server.close()
      thaw()
      breakAll()
      await closed
    }
  }
}
