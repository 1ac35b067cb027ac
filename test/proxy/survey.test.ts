// What tiers above hosts tell of the tree below them: they ask only while somebody looks, once for
// all who do, and hang what they hear below themselves.

import * as localMediasoup from 'mediasoup'
import type * as ms from 'mediasoup/types'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { client, remote } from '../../client/index.ts'
import type { SurveyOptions } from '../../lib/survey.ts'
import type { Link, Tier } from '../../lib/index.ts'
import { horizontal, vertical } from '../../proxy/index.ts'
import { leaf, serve } from '../../server/index.ts'
import { look } from '../kit/surveyor.ts'
import { afterTest, audio, cleanUp, opus, until } from '../helper.ts'

cleanUp(test)

async function served(tier: Tier) {
  const server = await serve(tier)
  afterTest(() => server.close())
  afterTest(() => tier.close())
  return server
}

const servedLeaf = () => served(leaf(localMediasoup))

async function use(tier: Tier) {
  const mediasoup = await client(tier)
  afterTest(() => mediasoup.close())
  return mediasoup
}

async function survey(tier: Tier, options: SurveyOptions = {}) {
  const link = await tier.open()
  afterTest(() => link.close())
  return { link, ...(await look(link, options)) }
}

async function cluster(tiers: Tier[]) {
  const all = horizontal(tiers, { policy: 'scatter' })
  afterTest(() => all.close())
  await until(() => all.load.capacity > 0)
  return all
}

const router = async (worker: ms.Worker) => worker.createRouter({ mediaCodecs: [opus] })

test('a cluster tells its hosts below itself, with what they have, and both ends of pipes between them', async () => {
  const hosts = [await servedLeaf(), await servedLeaf()]
  const all = await cluster(hosts.map(({ url }) => remote(url)))
  const { url } = await served(all)
  const mediasoup = await use(remote(url))
  const routers = [
    await router(await mediasoup.createWorker()),
    await router(await mediasoup.createWorker())
  ]
  const [one, other] = routers as [ms.Router, ms.Router]
  const producer = await (await one.createDirectTransport()).produce(audio())
  await one.pipeToRouter({ producerId: producer.id, router: other })
  const { of, find } = await survey(remote(url), { detail: 'all' })
  const [top, ...below] = of('tier')
  assert.equal([top!.tier, top!.of, top!.id], ['horizontal', null, all.node])
  assert.equal(
    below.map(({ tier, of, name, problem }) => [tier, of, name, problem]),
    hosts.map(({ url }) => ['leaf', all.node, `${url}/`, undefined])
  )
  assert.equal(
    of('Worker')
      .map(({ of }) => of)
      .sort(),
    below.map(({ id }) => id).sort()
  )
  assert.is(of('Router').length, 2)
  assert.is(of('Producer').length, 2)
  const [here, there] = of('PipeTransport')
  assert.equal([here!.peer, there!.peer], [there!.id, here!.id])
  // Whose it is, is known where its application is.
  const application = of('session').find(session => session.of === all.node && session.objects > 0)!
  for (const { session } of of('Router'))
    assert.is(of('session').find(({ id }) => id === session)!.above, application.id)
  await find('Producer', ({ bitrateIn }) => bitrateIn === 0)
})

test('a host that is gone stays with the reason, and one that is back has all again', async () => {
  const tier = leaf(localMediasoup)
  afterTest(() => tier.close())
  const host = await serve(tier)
  const all = await cluster([remote(host.url)])
  const { of, find } = await survey(all, { detail: 'routers' })
  const mediasoup = await use(all)
  await router(await mediasoup.createWorker())
  await find('Router')
  await host.close()
  await find('tier', ({ problem }) => problem)
  await until(() => !of('Router').length && !of('Worker').length)
  const again = await serve(leaf(localMediasoup), { port: Number(new URL(host.url).port) })
  afterTest(() => again.close())
  await find('tier', ({ name, problem }) => name === `${host.url}/` && !problem)
  await router(await mediasoup.createWorker())
  await find('Router')
})

test('a host that was never reached is told with the reason', async () => {
  const { url } = await servedLeaf()
  const gone = await serve(leaf(localMediasoup))
  await gone.close()
  const all = await cluster([remote(url), remote(gone.url)])
  const { of } = await survey(all)
  const [, ...hosts] = of('tier')
  assert.equal(
    hosts.map(({ name, problem }) => [name, problem === undefined]),
    [
      [`${url}/`, true],
      [`${gone.url}/`, false]
    ]
  )
  assert.is(hosts[1]!.id, `${gone.url}/`)
})

test('what a vertical tier spans is told as its hosts see it', async () => {
  const tier = vertical(leaf(localMediasoup), { policy: 'scatter' })
  const { url } = await served(tier)
  const mediasoup = await use(remote(url))
  const spanning = await router(await mediasoup.createWorker())
  const [one, other] = [
    await spanning.createDirectTransport(),
    await spanning.createDirectTransport()
  ]
  const producer = await one.produce(audio())
  await other.consume({ producerId: producer.id, rtpCapabilities: spanning.rtpCapabilities })
  const { of } = await survey(remote(url), { detail: 'transports' })
  const tiers = of('tier')
  assert.equal(
    tiers.map(({ tier, of }) => [tier, of]),
    [
      ['vertical', null],
      ['leaf', tiers[0]!.id]
    ]
  )
  assert.is(of('Router').length, 2)
  const [here, there] = of('PipeTransport')
  assert.equal([here!.peer, there!.peer], [there!.id, here!.id])
})

test('a tree of any depth is told from its top, as far as somebody looks', async () => {
  const hosts = [leaf(localMediasoup), leaf(localMediasoup)]
  const all = await cluster(hosts)
  const top = vertical(all)
  const mediasoup = await use(top)
  await router(await mediasoup.createWorker())
  const { link, of } = await survey(top, { detail: 'workers' })
  assert.is(of('tier').length, 4)
  const [, clustered] = of('tier')
  assert.is(clustered!.tier, 'horizontal')
  assert.equal(of('Router'), [])
  const [worker] = of('Worker')
  const close = await look(link, { under: worker!.id, detail: 'all' })
  assert.equal([...close.entries.keys()].length, 2)
  assert.is(close.of('Router')[0]!.of, worker!.id)
})

/** A tier that keeps what it is asked. */
function overheard(tier: Tier) {
  const asked: string[] = []
  const open: Tier['open'] = async options => {
    const link: Link = await tier.open(options)
    const send = link.send.bind(link)
    link.send = (frame, head) => {
      if (String(frame).includes('"tier.survey"')) asked.push(String(frame))
      send(frame, head)
    }
    return link
  }
  return { asked, tier: { ...tier, open } as Tier }
}

test('hosts are asked only while somebody looks, and once for all who do', async () => {
  const { asked, tier } = overheard(leaf(localMediasoup))
  const all = await cluster([tier])
  const mediasoup = await use(all)
  const worker = await mediasoup.createWorker()
  await router(worker)
  assert.equal(asked, [])
  const links = []
  for (let i = 0; i < 3; i++) links.push((await survey(all, { detail: 'routers' })).link)
  assert.is(asked.length, 1)
  const close = await survey(all, { detail: 'all', under: all.node })
  assert.ok(asked.length <= 2)
  assert.is(close.of('Router').length, 1)
  worker.close()
  await until(() => !close.of('Worker').length)
  close.link.close()
  for (const link of links) link.close()
  const last = await until(() => asked.find(frame => frame.includes('"subscribe":false')))
  await mediasoup.createWorker()
  assert.is(asked.at(-1), last)
})

test('what is under something on one host is asked of no other one', async () => {
  const hosts = [overheard(leaf(localMediasoup)), overheard(leaf(localMediasoup))]
  const all = await cluster(hosts.map(({ tier }) => tier))
  await until(() => [...all].length === 2 && all.load.capacity >= 2)
  const mediasoup = await use(all)
  const opened = await router(await mediasoup.createWorker())
  await opened.createDirectTransport()
  const { link, of } = await survey(all)
  const { id } = of('Router')[0]!
  for (const { asked } of hosts) asked.length = 0
  const { entries } = await look(link, { also: [{ under: id, detail: 'all' }] })
  assert.is([...entries.values()].filter(({ kind }) => kind === 'DirectTransport').length, 1)
  assert.equal(hosts.map(({ asked }) => asked.length).sort(), [0, 1])
})

test('a host that tells nonsense is told with what is known of it, and harms nobody', async () => {
  const real = leaf(localMediasoup)
  const nonsense = [
    null,
    7,
    {},
    { id: 1 },
    { id: 'x', of: null, kind: 'tier' },
    { id: 'r', of: null, kind: 'rest' }
  ]
  const open: Tier['open'] = async options => {
    const link = await real.open(options)
    const send = link.send.bind(link)
    link.send = (frame, head) => {
      if (!String(frame).includes('"tier.survey"')) return send(frame, head)
      const { id } = JSON.parse(String(frame)) as { id: string }
      link.emit('frame', JSON.stringify({ jsonrpc: '2.0', id, result: { entries: nonsense } }))
      for (const changes of [null, { changed: nonsense, gone: 7 }, { changed: {}, gone: [[]] }])
        link.emit(
          'frame',
          JSON.stringify({ jsonrpc: '2.0', method: 'tier.survey', params: [changes] })
        )
    }
    return link
  }
  const all = await cluster([leaf(localMediasoup), { ...real, open } as Tier])
  await until(() => [...all].length === 2 && all.load.capacity >= 2)
  const { of, find } = await survey(all, { detail: 'all' })
  assert.is(of('tier').length, 3)
  await (await use(all)).createWorker()
  await find('Worker')
})

test('what a cluster can be told of is bounded, however much there is', async () => {
  const all = await cluster([leaf(localMediasoup)])
  const worker = await (await use(all)).createWorker()
  for (let i = 0; i < 30; i++) await worker.createRouter()
  const { entries, of } = await survey(all, { most: 12 })
  assert.ok(entries.size <= 12, String(entries.size))
  const [rest] = of('rest')
  assert.is(rest!.count + of('Router').length, 30)
})

test.run()
