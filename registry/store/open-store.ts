// The store that an option names.

import type { Log } from '../log.ts'
import { MemoryStore } from './memory-store.ts'
import { openRedisStore } from './redis-store.ts'
import { checkRedisUrl } from './redis-url.ts'
import type { Store } from './store.ts'

export const MEMORY = 'memory'

/** @throws TypeError for a URL that is not one of a store */
export function checkStoreUrl(url: string) {
  if (url !== MEMORY) checkRedisUrl(url)
}

/**
 * @param url `memory`, or that of a Redis
 * @throws TypeError for a URL that is not one of a store
 */
export async function openStore(url: string, log: Log): Promise<Store> {
  if (url === MEMORY) return new MemoryStore()
  return openRedisStore(url, {
    onAway: ({ message: reason }) => log.warn({ reason }, 'the store cannot be asked'),
    onBack: () => log.info({}, 'the store can be asked')
  })
}
