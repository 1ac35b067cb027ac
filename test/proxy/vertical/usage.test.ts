// What a tier tells of the load of its Workers: pushed, and of those of one session.

import * as localMediasoup from 'mediasoup'
import type * as ms from 'mediasoup/types'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { FakeLeaf } from '../../kit/fake-leaf.ts'
import { type RemoteMediasoup, client } from '../../../client/index.ts'
import { headerOf } from '../../../lib/wire.ts'
import type { Link, OpenOptions, Tier } from '../../../lib/tier.ts'
import { encodeNotification } from '../../../lib/wire.ts'
import { horizontal, vertical } from '../../../proxy/index.ts'
import { leaf } from '../../../server/index.ts'
import { afterTest, cleanUp, opus, until } from '../../helper.ts'

cleanUp(test)

async function use(tier: Tier): Promise<RemoteMediasoup> {
  const mediasoup = await client(tier)
  afterTest(() => mediasoup.close())
  return mediasoup
}

/** A tier, with its open links and the methods that were sent on them. */
function watched(tier: Tier) {
  const links = new Set<Link>()
  const sent: string[] = []
  const open = async (options?: OpenOptions) => {
    const link = await tier.open(options)
    links.add(link)
    link.once('close', () => links.delete(link))
    const send = link.send.bind(link)
    link.send = (frame, head) => {
      sent.push(headerOf(frame)?.method ?? '')
      send(frame, head)
    }
    return link
  }
  return { tier: Object.create(tier, { open: { value: open } }) as Tier, links, sent }
}

test('idle sessions ask nothing, and hear the load of the tier below on one session for all', async () => {
  const host = new FakeLeaf(64)
  afterTest(() => host.close())
  const { tier, links, sent } = watched(host)
  const spanning = vertical(tier)
  const sessions = await Promise.all(Array.from({ length: 20 }, () => use(spanning)))
  for (const mediasoup of sessions) await (await mediasoup.createWorker()).createRouter()
  assert.is(links.size, 1 + sessions.length)
  assert.is(sent.filter(method => method === 'tier.load').length, 1)
  sent.length = 0
  let reports = 0
  const [, ...others] = links
  others[0]!.on('frame', frame => {
    if (headerOf(frame)?.method === 'tier.usage') reports++
  })
  await until(() => reports >= 3)
  assert.equal(sent, [])
  for (const mediasoup of sessions) mediasoup.close()
  await until(() => links.size === 0)
})

test('a Worker goes by what it was told to use, until it is told otherwise', async () => {
  const { tier, links } = watched(leaf(localMediasoup))
  const mediasoup = await use(vertical(tier, { maxWorkers: 2, watermark: 0.5 }))
  const worker = await mediasoup.createWorker()
  const router = await worker.createRouter({ mediaCodecs: [opus] })
  const pidOf = async (transport: ms.Transport) =>
    (await mediasoup.connection.locate(transport)).pid
  const below = [...links][1]!
  const handle = await new Promise<string>(resolve => {
    below.on('frame', frame => resolve(/"of":"([^"]+)"/.exec(String(frame))?.[1] ?? ''))
    void worker.createRouter()
  })
  const tell = (cores: number) =>
    below.emit('frame', encodeNotification('tier.usage', [{ [handle]: cores }]))
  assert.is(await pidOf(await router.createDirectTransport()), worker.pid)
  tell(0.9)
  assert.is.not(await pidOf(await router.createDirectTransport()), worker.pid)
})

test('a Worker over several uses what these use together, on any number of tiers', async () => {
  const hosts = [new FakeLeaf(2), new FakeLeaf(2)]
  afterTest(() => hosts.forEach(host => host.close()))
  const cluster = horizontal(hosts, { policy: 'scatter' })
  afterTest(() => cluster.close())
  await until(() => cluster.load.capacity === 4)
  const tree = vertical(vertical(cluster, { policy: 'scatter', maxWorkers: 2 }))
  const mediasoup = await use(tree)
  const link = await tree.open()
  afterTest(() => link.close())
  const heard: {
    id?: number
    method?: string
    result?: Record<string, number> & { $?: string }
    params?: [Record<string, number>]
  }[] = []
  link.on('frame', frame => heard.push(JSON.parse(String(frame))))
  let id = 0
  const call = async (method: string, ...params: unknown[]) => {
    const own = ++id
    link.send(JSON.stringify({ jsonrpc: '2.0', id: own, method, params }))
    return (await until(() => heard.find(({ id, method }) => id === own && !method))).result!
  }
  assert.equal(await call('tier.usage'), {})
  const { $: worker } = await call('mediasoup.createWorker', {})
  const { $: router } = await call('Worker.createRouter', worker, {})
  for (let i = 0; i < 4; i++) await call('Router.createDirectTransport', router, {})
  // Two on each host, and each as the simulated leaf says.
  await until(() =>
    heard.some(
      ({ method, params }) =>
        method === 'tier.usage' && Math.abs(params![0][worker!]! - 0.008) < 1e-9
    )
  )
  mediasoup.close()
})

test.run()
