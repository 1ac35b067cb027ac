// Hosts that are the addresses of a name: looked up again when the answer has expired.

import { Resolver } from 'node:dns/promises'
import { setTimeout as setTimeoutPromise } from 'node:timers/promises'
import type { Host, HostChange, Hosts } from '../host.ts'
import { changesBetween } from '../store/changes.ts'

export interface DnsOptions {
  /** The addresses of the servers that are asked, each with its port. Default: those of the system. */
  servers?: readonly string[]
  /** The least and the most that an answer is good for, in ms. Default 1 s and 30 s. */
  ttl?: readonly [least: number, most: number]
  /** The name cannot be looked up, and can be looked up again. */
  onAway?: (error: Error) => void
  onBack?: () => void
}

const TTL: readonly [number, number] = [1_000, 30_000]
const TIMEOUT_MS = 2_000
const TRIES = 2
const RETRY_MS = 2_000
const SOON_SECONDS = 5

/** There is such a name, or none, and it has no records of the kind: an answer, too. */
const NONE = new Set(['ENODATA', 'ENOTFOUND'])

export const isDnsUrl = (url: string) => /^dns\+wss?:/.test(url)

/** @throws TypeError */
export function parseDnsUrl(url: string): {
  scheme: 'ws' | 'wss'
  name: string
  port: number | undefined
} {
  const [, scheme, name, port] = /^dns\+(wss?):\/\/([\w.-]+?)\.?(?::(\d{1,5}))?\/?$/.exec(url) ?? []
  const isService = name?.startsWith('_') ?? false
  if (!name || isService === (port !== undefined) || Number(port ?? 1) > 65_535)
    throw new TypeError(
      `a name with many hosts is like dns+ws://media.example:4000, or dns+wss://_mafalda._tcp.media.example for SRV records, which have ports (got ${url})`
    )
  return {
    scheme: scheme as 'ws' | 'wss',
    name,
    port: port === undefined ? undefined : Number(port)
  }
}

/**
 * @param url `dns+ws://name:port` for A and AAAA records, `dns+ws://_service._tcp.name` for SRV ones;
 *   with `dns+wss://`, the certificates of hosts are for the name
 * @throws TypeError for another URL
 */
export function dnsHosts(url: string, options: DnsOptions = {}): Hosts {
  parseDnsUrl(url)
  return { changes: signal => changesOf(url, options, signal) }
}

async function* changesOf(
  url: string,
  { servers, ttl: [least, most] = TTL, onAway, onBack }: DnsOptions,
  signal: AbortSignal
): AsyncGenerator<HostChange> {
  const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: TRIES })
  if (servers) resolver.setServers(servers)
  let known: ReadonlyMap<string, Host> = new Map()
  let isAway = false
  while (!signal.aborted) {
    let wait = Math.min(RETRY_MS, most)
    try {
      const { hosts, ttl } = await look(resolver, url)
      const now = new Map(hosts.map(host => [host.id, host]))
      const changes = changesBetween(known, now)
      known = now
      if (isAway) onBack?.()
      isAway = false
      wait = Math.min(Math.max(ttl * 1_000, least), most)
      yield* changes
    } catch (error) {
      if (!isAway) onAway?.(error as Error)
      isAway = true
    }
    await setTimeoutPromise(wait, undefined, { signal }).catch(() => {})
  }
}

/** What the name stands for, and for how long in seconds. */
async function look(resolver: Resolver, url: string): Promise<{ hosts: Host[]; ttl: number }> {
  const { scheme, name, port } = parseDnsUrl(url)
  if (port === undefined) {
    const records = await orNone(resolver.resolveSrv(name))
    const hosts = records.map(({ name, port }) => hostAt(`${scheme}://${name}:${port}`))
    return { hosts, ttl: SOON_SECONDS } // Node.js does not say how long they are good for.
  }
  const [v4, v6] = await Promise.all([
    orNone(resolver.resolve4(name, { ttl: true })),
    orNone(resolver.resolve6(name, { ttl: true }))
  ])
  const servername = scheme === 'wss' ? { servername: name } : undefined
  const hosts = [
    ...v4.map(({ address }) => hostAt(`${scheme}://${address}:${port}`, servername)),
    ...v6.map(({ address }) => hostAt(`${scheme}://[${address}]:${port}`, servername))
  ]
  return {
    hosts,
    ttl: hosts.length ? Math.min(...[...v4, ...v6].map(({ ttl }) => ttl)) : SOON_SECONDS
  }
}

const hostAt = (url: string, rest?: { servername: string }): Host => ({ id: url, url, ...rest })

async function orNone<T>(answer: Promise<T[]>): Promise<T[]> {
  try {
    return await answer
  } catch (error) {
    if (NONE.has((error as NodeJS.ErrnoException).code ?? '')) return []
    throw error
  }
}
