// Serves one of the tiers under test from a process of its own; hosts.ts starts it and tells it
// which.

import * as mediasoup from 'mediasoup'

import { serve } from '../server/index.ts'
import { tiers, type Site } from './tiers/index.ts'

async function host({ tier, below, files }: Site): Promise<void> {
  const adapter = tiers[tier]
  if (!adapter) throw new Error(`there is no tier ${tier}`)
  const { url } = await serve(adapter.tier({ mediasoup, below, files }), {
    host: '127.0.0.1',
    port: 0
  })
  process.send?.({ url })
}

// When the run ends, or is killed, this process has nothing left to do; its workers notice and
// follow.

void host(JSON.parse(process.argv[2] ?? ''))
