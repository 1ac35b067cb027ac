// The client of Redis for a URL: of one server, or of those that Sentinels name.

import { scripts } from './redis-scripts.ts'
import { sentinelsOf } from './redis-url.ts'

export type ScriptName = keyof typeof scripts

/** What is used of the library, whose two clients have it in common. */
export interface RedisClient {
  on(event: 'ready', listener: () => void): void
  on(event: 'error', listener: (error: Error) => void): void
  connect(): Promise<unknown>
  subscribe(channel: string, listener: (message: string) => void): Promise<void>
  hScan(
    hash: string,
    cursor: string,
    options: { COUNT: number }
  ): Promise<{ cursor: string; entries: { field: string; value: string }[] }>
  destroy(): void
}

export type Scripts = Record<ScriptName, (...args: string[]) => Promise<unknown>>

/** How long to connect may take, in ms. */
const CONNECT_MS = 2_000
/** After how long a connection on which nothing comes is replaced, in ms. */
const SILENCE_MS = 5_000
// A store that was emptied waits a second for those that know what it had: they are back by then.
const MAX_RETRY_MS = 400
/** How often Sentinels are asked who leads, beside what they tell by themselves, in ms. */
const TOPOLOGY_MS = 1_000

const socket = {
  connectTimeout: CONNECT_MS,
  socketTimeout: SILENCE_MS,
  reconnectStrategy: (retries: number) =>
    Math.min(25 * 2 ** Math.min(retries, 8), MAX_RETRY_MS) * (0.5 + Math.random() / 2)
}

/** Loads the library, which only those need that have a Redis. */
export async function redisClient(url: string): Promise<RedisClient & Scripts> {
  const { createClient, createSentinel, defineScript } = await import('@redis/client')
  const entries = Object.entries(scripts).map(([name, SCRIPT]) => [
    name,
    // EVALSHA, and EVAL where Redis has forgotten the script.
    defineScript({
      SCRIPT,
      NUMBER_OF_KEYS: 0,
      parseCommand: (parser, ...args: string[]) => parser.push(...args),
      transformReply: undefined as unknown as () => unknown
    })
  ])
  const sentinels = sentinelsOf(url)
  const settings = { disableOfflineQueue: true, maintNotifications: 'disabled' } as const
  const common = { scripts: Object.fromEntries(entries) }
  const client = sentinels
    ? createSentinel({
        ...common,
        name: sentinels.name,
        sentinelRootNodes: sentinels.nodes,
        scanInterval: TOPOLOGY_MS,
        nodeClientOptions: { ...settings, ...sentinels.access, socket },
        sentinelClientOptions: { ...settings, socket }
      })
    : createClient({ ...common, ...settings, url, socket })
  return client as unknown as RedisClient & Scripts
}
