// A tier at a URL.

import { WebSocket } from 'ws'
import { ConnectionError } from '../lib/errors.ts'
import { PROTOCOL } from '../lib/hello.ts'
import { type SocketOptions, socketDefaults } from '../lib/socket-options.ts'
import { SocketLink, webSocketOptions } from '../lib/socket.ts'
import type { Link, Tier } from '../lib/tier.ts'
import { type Tls, readTls } from '../lib/tls.ts'
import { Renewal, type Token, freshToken } from './credentials.ts'
import { openSession } from './resume.ts'

export interface RemoteOptions extends SocketOptions {
  /** How long connecting may take, in ms. Default 10 s. */
  timeout?: number
  /** Headers of the HTTP request that opens the connection. */
  headers?: Record<string, string>
  /** Says who connects: a token, or a function that gives a fresh one, called at each connect and before the last one expires. */
  token?: Token
  /** Of a `wss://` URL: its own certificate and key, and the authorities it trusts. Files are read at each connect. */
  tls?: Tls
}

const MAX_EXPLANATION_BYTES = 500

// Of something that may be no URL.
const USER_INFO = /[^/]*@/

/**
 * A tier at a URL. Each session has a connection of its own, and outlives it: one that breaks is replaced within the tier's
 * grace period, and nothing is lost.
 *
 * @throws TypeError when the URL is not one of a WebSocket, or has credentials in it.
 * @example
 * ```ts
 * const mediasoup = await client(remote('ws://host:4000'))
 * ```
 */
export function remote(url: string | URL, options: RemoteOptions = {}): Tier {
  const address = parseUrl(url)
  if (options.tls && address.protocol !== 'wss:') throw new TypeError(`tls needs a URL like wss://host:port (got ${address.href})`)
  const { timeout, maxBacklog } = { timeout: 10_000, ...socketDefaults, ...options }
  return { name: address.href, open: () => openSession(() => dial(address, options), { timeout, maxBacklog }) }
}

function parseUrl(url: string | URL): URL {
  const address = URL.canParse(String(url)) ? new URL(url) : undefined
  if (!address || !/^wss?:$/.test(address.protocol)) {
    throw new TypeError(`the URL of a tier must be like ws://host:port or wss://host:port (got ${JSON.stringify(String(url).replace(USER_INFO, '…@'))})`)
  }
  if (address.username || address.password) throw new TypeError('the URL of a tier has no credentials in it, because URLs end up in logs')
  return address
}

async function dial(url: URL, options: RemoteOptions): Promise<Link> {
  try {
    const token = await freshToken(options.token)
    const link = await openSocket(url, { ...options, headers: { ...options.headers, ...token !== undefined && { authorization: `Bearer ${token}` } } })
    return typeof options.token === 'function' ? new Renewal(link, options.token, token!) : link
  } catch (cause) {
    throw new ConnectionError(`cannot connect to ${url.href}: ${reasonOf(cause as Error)}`, { cause })
  }
}

function openSocket(url: URL, { timeout = 10_000, headers, tls, ...options }: RemoteOptions): Promise<Link> {
  const { silence, maxBacklog, maxPayload } = { ...socketDefaults, ...options }
  const socket = new WebSocket(url, PROTOCOL, { handshakeTimeout: timeout, headers, maxPayload, ...readTls(tls ?? {}), ...webSocketOptions })

  return new Promise((resolve, reject) => {
    socket.once('error', reject)
    socket.once('unexpected-response', async (_request, response) => {
      const explanation = await textOf(response)
      reject(new Error(`it answered ${response.statusCode} ${explanation || response.statusMessage}`))
      socket.terminate()
    })
    // 'open' comes in the same turn, so that no message is missed.
    socket.once('upgrade', ({ socket: stream }) => socket.once('open', () => {
      socket.off('error', reject)
      resolve(new SocketLink(socket, stream, { silence, maxBacklog }))
    }))
  })
}

// The error of several attempts, one for each address, has no message.
const reasonOf = (error: Error & { code?: string }) => error.message || error.code || error.name

async function textOf(response: AsyncIterable<Buffer>): Promise<string> {
  let text = ''
  try {
    for await (const chunk of response) {
      text += chunk
      if (text.length > MAX_EXPLANATION_BYTES) break
    }
  } catch {
    // The status says enough.
  }
  return text.slice(0, MAX_EXPLANATION_BYTES).trim()
}
