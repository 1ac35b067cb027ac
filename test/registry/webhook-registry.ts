// A registry in a process of its own, as far as it tells events: the store, the receiver and its name
// are its arguments.

import { parseSecrets } from '../../registry/events/secrets.ts'
import { openWebhooks } from '../../registry/events/webhooks.ts'
import { openRedisStore } from '../../registry/store/redis-store.ts'
import { SECRET } from '../kit/webhook-receiver.ts'

const [redis, url, registry] = process.argv.slice(2) as [string, string, string]

openWebhooks({
  store: await openRedisStore(redis),
  registry,
  url,
  secrets: () => parseSecrets(SECRET),
  patience: 1_000,
  backoff: [1, 50],
  log: { info() {}, warn: (facts, text) => console.error(registry, text, facts) }
})
process.send!('telling')
