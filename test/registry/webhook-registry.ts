// A registry in a process of its own, as far as it tells events. Its arguments are the store, the
// receiver, its name and the secret.

import { parseSecrets } from '../../registry/events/secrets.ts'
import { openWebhooks } from '../../registry/events/webhooks.ts'
import { openRedisStore } from '../../registry/store/redis-store.ts'

const [redis, url, registry, secret] = process.argv.slice(2) as [string, string, string, string]

openWebhooks({
  store: await openRedisStore(redis),
  registry,
  url,
  secrets: () => parseSecrets(secret),
  patience: 1_000,
  backoff: [1, 50],
  log: { info() {}, warn() {} }
})
process.send!('telling')
