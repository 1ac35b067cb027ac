// The load of a leaf, and of each Worker: a rate over the time that has passed, told to who asked
// for it and only when it changes.

import { once } from 'node:events'
import * as localMediasoup from 'mediasoup'
import type * as ms from 'mediasoup/types'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type RemoteMediasoup, client, connect, remote } from '../../../client/index.ts'
import type { Link, Tier } from '../../../lib/index.ts'
import type { Load, Usage } from '../../../lib/load.ts'
import { horizontal } from '../../../proxy/index.ts'
import { leaf, serve } from '../../../server/index.ts'
import { LoadMeter } from '../../../server/leaf/load-meter.ts'
import { afterTest, cleanUp, raw, startLeaf, until } from '../../helper.ts'

cleanUp(test)

type Peer = Awaited<ReturnType<typeof raw>>

async function open(url: string): Promise<RemoteMediasoup> {
  const mediasoup = await connect(url)
  afterTest(() => mediasoup.close())
  return mediasoup
}

/** Lets a Worker use some CPU time, and answers how much, in ms. */
async function burn(worker: ms.Worker, ms: number): Promise<number> {
  const timeOf = async () => {
    const { ru_utime, ru_stime } = await worker.getResourceUsage()
    return ru_utime + ru_stime
  }
  const router = await worker.createRouter()
  const before = await timeOf()
  for (;;) {
    await Promise.all(Array.from({ length: 1_000 }, () => router.dump()))
    const used = (await timeOf()) - before
    if (used >= ms) return used
  }
}

const told = <T>(peer: Peer, method: string) =>
  peer.heard.filter(message => message.method === method).map(({ params }) => (params as [T])[0])

test('after a pause the load is that of the last interval, and not of all the time before', async () => {
  const tier = leaf(localMediasoup)
  const [mediasoup, server] = [await client(tier), await serve(tier)]
  afterTest(() => server.close())
  afterTest(() => mediasoup.close())
  const worker = await mediasoup.createWorker()
  const used = await burn(worker, 300)
  // Nobody asks for some intervals.
  const idleSince = performance.now()
  await until(() => performance.now() - idleSince > 2_500)
  const peer = await raw(server.url)
  assert.is(((await peer.call('tier.load')).result as Load).used, 0)
  await worker.createRouter()
  const report = await until(() =>
    told<Load>(peer, 'tier.load').find(({ routers }) => routers === 2)
  )
  assert.ok(report.used < used / 2_000, `an idle Worker uses ${report.used} cores`)
})

test('a Worker that does not answer is asked once, and its time is not counted twice', async () => {
  const answers: ((usage: { ru_utime: number; ru_stime: number }) => void)[] = []
  const slow = {
    pid: 1,
    observer: { once() {} },
    getResourceUsage: () => new Promise(resolve => answers.push(resolve))
  } as unknown as ms.Worker
  const worker = await localMediasoup.createWorker()
  afterTest(() => worker.close())
  const meter = new LoadMeter()
  meter.addWorker(slow)
  answers[0]!({ ru_utime: 0, ru_stime: 0 })
  meter.addWorker(worker)
  let intervals = 0
  meter.on('usage', () => intervals++)
  await until(() => answers.length === 2)
  // The other one is measured meanwhile.
  await until(() => intervals > 1)
  assert.is(answers.length, 2)
  answers[1]!({ ru_utime: 10_000, ru_stime: 0 })
  await until(() => answers.length === 3)
  answers[2]!({ ru_utime: 10_000, ru_stime: 0 })
  await until(() => meter.usageOf(1) === 0)
})

test('who only asks for the load is told nothing more', async () => {
  const { url } = await startLeaf()
  const [asks, subscribes, ends] = [await raw(url), await raw(url), await raw(url)]
  await asks.call('tier.load', { subscribe: false })
  await subscribes.call('tier.load', { subscribe: true })
  await ends.call('tier.load')
  await ends.call('tier.load', { subscribe: false })
  await (await open(url)).createWorker()
  await until(() => told<Load>(subscribes, 'tier.load').some(({ workers }) => workers === 1))
  for (const peer of [asks, ends]) {
    await peer.call('tier.hello')
    assert.equal(told(peer, 'tier.load'), [])
  }
})

const clustered = async (url: string) => {
  const cluster = horizontal([remote(url)])
  afterTest(() => cluster.close())
  await once(cluster, 'up')
  const server = await serve(cluster)
  afterTest(() => server.close())
  return server.url
}

for (const [name, above] of [
  ['a leaf', (url: string) => url],
  ['a cluster', clustered]
] as const) {
  test(`${name} tells a session what its own Workers use, when that changes`, async () => {
    const { url } = await startLeaf()
    const [busy, idle] = [await raw(await above(url)), await raw(await above(url))]
    const handles: string[] = []
    for (const peer of [busy, idle]) {
      assert.equal((await peer.call('tier.usage')).result, {})
      handles.push(((await peer.call('mediasoup.createWorker', {})).result as { $: string }).$)
    }
    const [handle] = handles
    let id = 0
    const timer = setInterval(() => {
      for (let i = 0; i < 100; i++)
        busy.send({ jsonrpc: '2.0', id: ++id, method: 'Worker.dump', params: [handle] })
    }, 20)
    afterTest(() => clearInterval(timer))
    const usage = await until(() =>
      told<Usage>(busy, 'tier.usage').find(usage => usage[handle!]! > 0)
    )
    assert.equal(Object.keys(usage), [handle])
    clearInterval(timer)
    await until(() => told<Usage>(busy, 'tier.usage').at(-1)?.[handle!] === 0)
    await idle.call('tier.hello')
    for (const usage of told<Usage>(idle, 'tier.usage'))
      assert.equal(Object.keys(usage), [handles[1]])
  })
}

/** A tier that counts what it tells, once it is to. */
function counting(tier: Tier) {
  const counter = {
    told: 0,
    asked: 0,
    tier: {
      ...tier,
      open: async (options?: object): Promise<Link> => {
        const link = await tier.open(options)
        const send = link.send.bind(link)
        link.send = (frame, head) => {
          counter.asked++
          send(frame, head)
        }
        link.on('frame', () => counter.told++)
        return link
      }
    } as Tier
  }
  return counter
}

test('idle sessions cost a leaf at most one message a second', async () => {
  const leaves = [1, 2].map(() =>
    counting(leaf(localMediasoup, { shareWorkers: true, poolSize: 1, linger: 0 }))
  )
  const cluster = horizontal(
    leaves.map(({ tier }) => tier),
    { policy: 'scatter' }
  )
  afterTest(() => cluster.close())
  await until(() => cluster.load.capacity === 2)
  const server = await serve(cluster)
  afterTest(() => server.close())
  const peers = await Promise.all(Array.from({ length: 40 }, () => raw(server.url)))
  await Promise.all(
    peers.map(async peer => {
      await peer.call('tier.usage')
      await peer.call('mediasoup.createWorker', {})
    })
  )
  // Until what they did to get there is told.
  let last = -1
  await until(async () => {
    const { told } = leaves[0]!
    const isQuiet = told === last
    last = told
    await new Promise(resolve => setTimeout(resolve, 1_500))
    return isQuiet
  }, 30)
  for (const counter of leaves) counter.told = counter.asked = 0
  const began = performance.now()
  await until(() => performance.now() - began > 3_000)
  const seconds = Math.ceil((performance.now() - began) / 1_000)
  for (const { told, asked } of leaves)
    assert.ok(told + asked <= seconds, `${told} messages up and ${asked} down in ${seconds} s`)
})

test.run()
