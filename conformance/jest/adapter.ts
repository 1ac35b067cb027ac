// What a test file of mediasoup gets in place of mediasoup: a client of the tier under test, opened
// before the file is loaded and closed after it. This is bundled, and runs inside jest, so that its
// errors are of the classes that the tests name.

import * as localMediasoup from 'mediasoup'
import pRetry from 'p-retry'

import { client, remote, type RemoteMediasoup } from '../../client/index.ts'
import type { Tier } from '../../lib/index.ts'
import { tiers, type Site } from '../tiers/index.ts'
import { addAccessors } from './accessors.ts'
import { guardKill } from './guard.ts'

const CUT_OPENINGS = 5

let opened: RemoteMediasoup | undefined

export async function open(site: Site): Promise<void> {
  // A connection that breaks before there is a session is not replaced.
  opened = await pRetry(() => client(tierAt(site), { reconnect: false }), {
    retries: site.cut ? CUT_OPENINGS : 0,
    minTimeout: 50
  })
  addAccessors(opened)
  if (site.url) guardKill(opened.workerBin)
}

export function mediasoup(): RemoteMediasoup {
  if (!opened) throw new Error('the tier under test is not open')
  // The tests are compiled to CommonJS: without this they would work on a copy of the object.
  return Object.defineProperty(opened, '__esModule', { value: true })
}

export function close(): void {
  opened?.close()
}

function tierAt({ tier: name, url, below, files }: Site): Tier {
  if (url) return remote(url)
  const adapter = tiers[name]
  if (!adapter) throw new Error(`there is no tier ${name}`)
  return adapter.tier({ mediasoup: localMediasoup, below, files })
}
