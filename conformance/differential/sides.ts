// The two sides of a comparison: plain mediasoup in this process, and a tier with all that is below
// it, in processes of their own where the tier is served.

import { fileURLToPath } from 'node:url'
import * as mediasoup from 'mediasoup'
import { type RemoteMediasoup, client, connect as connectFromSources } from '../../client/index.ts'
import { Hosts } from '../hosts.ts'
import { type Site, tiers } from '../tiers/index.ts'
import { Stage } from './stage.ts'

const HOST = fileURLToPath(new URL('../host.ts', import.meta.url))

export interface Side {
  stage: Stage
  close(): Promise<void>
}

export function plainSide(): Side {
  const stage = new Stage(mediasoup)
  return { stage, close: async () => stage.close() }
}

/**
 * By its name, or the URL of one that runs already on this machine. `plain` is plain mediasoup once
 * more: it must not differ from itself.
 */
export async function tierSide(name: string, connect = connectFromSources): Promise<Side> {
  if (name === 'plain') return plainSide()
  const hosts = new Hosts({ script: HOST })
  const { below = [], hops } = tiers[name] ?? {}
  const remote = await open(await hosts.prepare(name), connect)
  const stage = new Stage(remote, Math.max(below.length, 1), hops)
  return {
    stage,
    async close() {
      stage.close()
      remote.close()
      await hosts.close()
    }
  }
}

/** A tier that is not served runs in this process. */
function open(
  { tier, url, below }: Site,
  connect: typeof connectFromSources
): Promise<RemoteMediasoup> {
  return url ? connect(url) : client(tiers[tier]!.tier({ mediasoup, below, files: '' }))
}
