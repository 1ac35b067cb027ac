// The store of registries that share a Redis.

import { exitOnSignals } from '../kit/processes.ts'
import { startRedis } from '../kit/redis.ts'
import { openRedisStore } from '../../registry/store/redis-store.ts'
import { storeSuite } from './store-suite.ts'

exitOnSignals()

const redis = await startRedis()

const test = storeSuite('in Redis', async () => {
  await redis.empty()
  // A new store would give no places for a second.
  await redis.send('SET mafalda:generation empty')
  return { open: options => openRedisStore(redis.url, options), end: () => {} }
})

test.after(() => redis.end())
test.run()
