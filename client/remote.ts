// A tier at a URL.

import { WebSocket } from 'ws'
import { checkDurations } from '../lib/duration.ts'
import { ConnectionError } from '../lib/errors.ts'
import { PROTOCOL } from '../lib/hello.ts'
import { OpenLinks } from '../lib/open-links.ts'
import { CLIENT_MAX_BACKLOG, type SocketOptions, socketDefaults } from '../lib/socket-options.ts'
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
  /**
   * Says who connects: a token, or a function that gives a fresh one, called at each connect and
   * before the last one expires.
   */
  token?: Token
  /**
   * Of a `wss://` URL: its own certificate and key, and the authorities it trusts. Files are read
   * at each connect.
   */
  tls?: Tls
}

const MAX_EXPLANATION_BYTES = 500

// Of something that may be no URL.
const USER_INFO = /[^/]*@/

/**
 * Where a tier is. More than one URL are those of proxies over the same tiers, each of which can
 * take the place of another.
 */
export type Urls = string | URL | readonly (string | URL)[]

/**
 * A tier at a URL. Each session has a connection of its own, and outlives it: one that breaks is
 * replaced within the tier's grace period, at the next of its URLs that answers, and nothing is
 * lost.
 *
 * @throws TypeError when a URL is not one of a WebSocket, is given twice, or has credentials in it;
 * RangeError for a time that no timer can wait for.
 * @example
 * ```ts
 * const mediasoup = await client(remote('ws://host:4000'))
 * ```
 */
export function remote(url: Urls, options: RemoteOptions = {}): Tier {
  const addresses = [url].flat().map(url => parseUrl(url as string | URL))
  if (!addresses.length) throw new TypeError('a tier has at least one URL')
  const again = addresses.find(
    ({ href }, i) => addresses.findIndex(other => other.href === href) < i
  )
  if (again) throw new TypeError(`the URLs of a tier are different ones (got ${again.href} twice)`)
  for (const { protocol, href } of addresses) {
    if (options.tls && protocol !== 'wss:')
      throw new TypeError(`tls needs a URL like wss://host:port (got ${href})`)
  }
  const { timeout = 10_000, silence = socketDefaults.silence } = options
  const { maxBacklog = CLIENT_MAX_BACKLOG, maxPayload = socketDefaults.maxPayload } = options
  checkDurations({ timeout, silence }, 1)
  const settings = { ...options, timeout, silence, maxBacklog, maxPayload }
  const links = new OpenLinks()
  // The one that answered last is the first that is tried next time.
  let [first] = addresses
  return {
    name: first!.href,
    resumable: true,
    async open(session) {
      links.check()
      return links.add(await openSession(dialAny, settings, session))
    },
    close: () => links.close()
  }

  // Many sessions may dial at once: each tries every address.
  async function dialAny(): Promise<Link> {
    let failure: unknown
    for (const address of [first!, ...addresses.filter(address => address !== first)]) {
      try {
        const link = await dial(address, settings)
        first = address
        return link
      } catch (error) {
        failure = error
      }
    }
    throw failure
  }
}

function parseUrl(url: string | URL): URL {
  const address = URL.canParse(String(url)) ? new URL(url) : undefined
  if (!address || !/^wss?:$/.test(address.protocol)) {
    throw new TypeError(
      `the URL of a tier must be like ws://host:port or wss://host:port (got ${JSON.stringify(String(url).replace(USER_INFO, '…@'))})`
    )
  }
  if (address.username || address.password)
    throw new TypeError('the URL of a tier has no credentials in it, because URLs end up in logs')
  return address
}

type Settings = RemoteOptions & Required<SocketOptions> & { timeout: number }

async function dial(url: URL, options: Settings): Promise<Link> {
  try {
    const { token: source } = options
    const token = source === undefined ? undefined : await freshToken(source)
    const link = await openSocket(url, {
      ...options,
      headers: {
        ...options.headers,
        ...(token !== undefined && { authorization: `Bearer ${token}` })
      }
    })
    return typeof source === 'function' ? new Renewal(link, () => freshToken(source), token!) : link
  } catch (cause) {
    throw new ConnectionError(`cannot connect to ${url.href}: ${reasonOf(cause as Error)}`, {
      cause
    })
  }
}

function openSocket(
  url: URL,
  { timeout, headers, tls, silence, maxBacklog, maxPayload }: Settings
): Promise<Link> {
  const socket = new WebSocket(url, PROTOCOL, {
    handshakeTimeout: timeout,
    headers,
    maxPayload,
    ...readTls(tls ?? {}),
    ...webSocketOptions
  })

  return new Promise((resolve, reject) => {
    socket.once('error', reject)
    socket.once('unexpected-response', async (_request, response) => {
      const explanation = await textOf(response)
      reject(
        new Error(`it answered ${response.statusCode} ${explanation || response.statusMessage}`)
      )
      socket.terminate()
    })
    // 'open' comes in the same turn, so that no message is missed.
    socket.once('upgrade', ({ socket: stream }) =>
      socket.once('open', () => {
        socket.off('error', reject)
        resolve(new SocketLink(socket, stream, { silence, maxBacklog }))
      })
    )
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
