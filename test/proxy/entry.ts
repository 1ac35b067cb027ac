// A process on a host of a test: an entry that puts each transport of a Router on another host than
// the one before, and on each host on two Workers in turn.

import { remote } from '../../client/index.ts'
import type { Tier } from '../../lib/tier.ts'
import { horizontal, vertical } from '../../proxy/index.ts'
import { serve } from '../../server/index.ts'

const [address, ...urls] = process.argv.slice(2) as [string, ...string[]]

const cluster = horizontal(
  urls.map(url => remote(url)),
  { policy: 'scatter' }
)
const up = new Set<Tier>()
cluster.on('up', async host => {
  if (up.add(host).size < urls.length) return
  const { url } = await serve(
    vertical(cluster, { policy: 'scatter', maxWorkers: 2 * urls.length }),
    { host: address, port: 0, insecure: true }
  )
  process.send!({ url })
})
