// Hosts that have registered in a Redis, for who only reads them.

import type { HostChange, Hosts } from '../host.ts'
import { type RedisStoreOptions, openRedisStore } from '../store/redis-store.ts'
import { checkRedisUrl } from '../store/redis-url.ts'

export { isRedisUrl } from '../store/redis-url.ts'

/** @throws TypeError for a URL that is not one of a Redis */
export function redisHosts(url: string, options: RedisStoreOptions = {}): Hosts {
  checkRedisUrl(url)
  return { changes: signal => changesOf(url, options, signal) }
}

async function* changesOf(
  url: string,
  options: RedisStoreOptions,
  signal: AbortSignal
): AsyncGenerator<HostChange> {
  const store = await openRedisStore(url, options)
  try {
    yield* store.changes(signal)
  } finally {
    await store.close()
  }
}
