// What a leaf tells of itself to who surveys it, and to nobody else: what all sessions have there.

import * as localMediasoup from 'mediasoup'
import type * as ms from 'mediasoup/types'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { client, connect, remote } from '../../../client/index.ts'
import { codes } from '../../../lib/errors.ts'
import { encodeRequest } from '../../../lib/wire.ts'
import { type ServeOptions, leaf, serve } from '../../../server/index.ts'
import { openStage } from '../../kit/room.ts'
import { type Surveyor, look } from '../../kit/surveyor.ts'
import { AUDIENCE, secretIssuer } from '../../tokens.ts'
import { afterTest, audio, cleanUp, opus, raw, rejection, rtp, until } from '../../helper.ts'

cleanUp(test)

async function served(options: ServeOptions = {}, tier = leaf(localMediasoup)) {
  const server = await serve(tier, options)
  afterTest(() => server.close())
  afterTest(() => tier.close())
  return { tier, url: server.url }
}

async function use(url: string, token?: string) {
  const mediasoup = await connect(url, { token, reconnect: false })
  afterTest(() => mediasoup.close())
  return mediasoup
}

async function survey(url: string, options = {}, token?: string): Promise<Surveyor> {
  const link = await remote(url, { token }).open()
  afterTest(() => link.close())
  return look(link, options)
}

test('an operator sees what all sessions have on a leaf, and whose they are', async () => {
  const { key: secret, issue } = secretIssuer()
  const { url } = await served({ tokens: { secret, audience: AUDIENCE } })
  const alice = await use(url, await issue({ sub: 'alice' }))
  const bob = await use(url, await issue({ sub: 'bob' }))
  const stage = await openStage(alice)
  await bob.createWorker()
  const { of } = await survey(url, { detail: 'all' }, await issue({ sub: 'operator' }))
  const [tier] = of('tier')
  assert.is(tier!.of, null)
  assert.equal([tier!.tier, tier!.mediasoup], ['leaf', localMediasoup.version])
  assert.ok(tier!.memory! > 0 && tier!.since! <= Date.now())
  const sessions = new Map(of('session').map(session => [session.subject, session]))
  assert.equal([...sessions.keys()].sort(), ['alice', 'bob', 'operator'])
  assert.is(sessions.get('alice')!.address, '127.0.0.1')
  assert.is(sessions.get('alice')!.objects, 8)
  const worker = of('Worker').find(({ pid }) => pid === stage.worker.pid)!
  assert.equal(worker.sessions, [sessions.get('alice')!.id])
  assert.is(of('Worker').length, 2)
  const [router] = of('Router')
  assert.equal(
    [router!.of, router!.session, router!.transports, router!.producers, router!.consumers],
    [worker.id, sessions.get('alice')!.id, 3, 2, 1]
  )
  assert.equal(
    of('Producer')
      .map(({ codec }) => codec)
      .sort(),
    ['audio/opus', 'video/VP8']
  )
  const [consumer] = of('Consumer')
  assert.equal(
    [consumer!.producerId, consumer!.type, consumer!.paused, consumer!.score],
    [stage.producers[1].id, 'simulcast', false, 10]
  )
  assert.is(of('WebRtcTransport')[0]!.dtlsState, 'new')
  await alice.close()
})

test('what changes is told, and nothing that does not', async () => {
  const { url } = await served()
  const mediasoup = await use(url)
  const { find, of, changes, entries } = await survey(url, { detail: 'all' })
  const worker = await mediasoup.createWorker()
  const router = await worker.createRouter({ mediaCodecs: [opus] })
  const transport = await router.createDirectTransport()
  const producer = await transport.produce(audio())
  const { id } = await find('Producer')
  await producer.pause()
  await find('Producer', ({ paused }) => paused)
  const pauses = changes.flatMap(({ changed }) => changed).filter(entry => entry.id === id)
  assert.ok(pauses.length <= 3, JSON.stringify(pauses)) // New, with its statistics, and paused.
  router.close()
  await until(() => !entries.has(id) && of('Router').length === 0)
  worker.close()
  await until(() => of('Worker').length === 0)
  assert.not(of('session').some(({ objects }) => objects > 0))
})

test('a Worker is told with what it was made with, but for files of the host', async () => {
  const { url } = await served()
  const mediasoup = await use(url)
  await mediasoup.createWorker({ logLevel: 'warn', logTags: ['ice'], rtcMinPort: 20_000 })
  const { of } = await survey(url, { detail: 'workers' })
  const [worker] = of('Worker')
  assert.equal(worker!.settings, { logLevel: 'warn', logTags: ['ice'], rtcMinPort: 20_000 })
})

test('a Worker that dies is told to have died, and one that is closed is just gone', async () => {
  const { url } = await served()
  const mediasoup = await use(url)
  const [dies, closes] = [await mediasoup.createWorker(), await mediasoup.createWorker()]
  const { find, of } = await survey(url, { detail: 'workers' })
  assert.is(of('Worker').length, 2)
  await find('Worker', ({ cpu, memory }) => cpu !== undefined && memory! > 1024 ** 2)
  process.kill(dies.pid, 'SIGKILL')
  closes.close()
  await find('Worker', ({ pid, died }) => pid === dies.pid && died)
  await until(() => !of('Worker').some(({ pid }) => pid === closes.pid))
})

test('statistics are those that mediasoup has', async () => {
  const { url } = await served()
  const mediasoup = await use(url)
  const router = await (await mediasoup.createWorker()).createRouter({ mediaCodecs: [opus] })
  const transport = await router.createDirectTransport()
  const producer = await transport.produce(audio())
  await transport.consume({ producerId: producer.id, rtpCapabilities: router.rtpCapabilities })
  const { find, of } = await survey(url, { detail: 'all' })
  let sequence = 0
  const timer = setInterval(() => producer.send(rtp(++sequence)), 5)
  afterTest(() => clearInterval(timer))
  await find(
    'Consumer',
    ({ bitrateOut, keyFrameRequests }) => bitrateOut! > 0 && keyFrameRequests === 0
  )
  await find('DirectTransport', ({ bitrateIn }) => bitrateIn !== undefined)
  const isNear = (one: number, other: number) => one > 0 && Math.abs(one / other - 1) < 0.2
  await until(async () => {
    const [stat] = await producer.getStats()
    const { bitrateIn = 0, packetsLost } = of('Producer')[0]!
    return isNear(bitrateIn, stat!.bitrate) && packetsLost === stat!.packetsLost
  })
  clearInterval(timer)
  await find('Producer', ({ bitrateIn }) => bitrateIn === 0)
})

test('both ends of a pipe within a host are named', async () => {
  const { url } = await served()
  const mediasoup = await use(url)
  const routers = []
  for (let i = 0; i < 2; i++)
    routers.push(await (await mediasoup.createWorker()).createRouter({ mediaCodecs: [opus] }))
  const [one, other] = routers as [ms.Router, ms.Router]
  const producer = await (await one.createDirectTransport()).produce(audio())
  await one.pipeToRouter({ producerId: producer.id, router: other })
  const { of } = await survey(url, { detail: 'transports' })
  const [here, there] = of('PipeTransport')
  assert.equal([here!.peer, there!.peer], [there!.id, here!.id])
  assert.equal([here!.remote, there!.remote], [there!.local, here!.local])
})

test('a Worker that sessions share is told once, with all of them', async () => {
  const tier = leaf(localMediasoup, { shareWorkers: true, poolSize: 1, linger: 0 })
  const { url } = await served({}, tier)
  const workers = [await (await use(url)).createWorker(), await (await use(url)).createWorker()]
  await workers[0]!.createRouter()
  const { of } = await survey(url)
  const [worker, ...others] = of('Worker')
  assert.equal(others, [])
  assert.is(worker!.pid, workers[0]!.pid)
  assert.is(new Set(worker!.sessions).size, 2)
  assert.is(of('Router')[0]!.of, worker!.id)
  assert.ok(worker!.sessions.includes(of('Router')[0]!.session))
})

test('of many of a kind only some are told one by one', async () => {
  const { url } = await served()
  const worker = await (await use(url)).createWorker()
  for (let i = 0; i < 5; i++) await worker.createRouter()
  const { of } = await survey(url, { limit: 2 })
  assert.is(of('Router').length, 2)
  assert.equal(
    of('rest').map(({ rest, count }) => [rest, count]),
    [['Router', 3]]
  )
})

test('whoever asks for something else is told only of that, and who ends it nothing more', async () => {
  const { url } = await served()
  const peer = await raw(url)
  const mediasoup = await use(url)
  await peer.call('tier.survey', { detail: 'all' })
  await peer.call('tier.survey', { detail: 'workers' })
  const worker = await mediasoup.createWorker()
  await worker.createRouter()
  const told = () => JSON.stringify(peer.heard)
  await until(() => told().includes('"kind":"Worker"'))
  const { result } = await peer.call('tier.survey', { detail: 'all', subscribe: false })
  assert.match(JSON.stringify(result), '"kind":"Router"')
  const count = peer.heard.length
  const other = await survey(url)
  worker.close()
  await until(() => other.of('Worker').length === 0)
  assert.is(peer.heard.length, count)
})

test('who may not operate, or asks for what there is not, is told so', async () => {
  const { key: secret, issue } = secretIssuer()
  const { url } = await served({ tokens: { secret, audience: AUDIENCE } })
  const token = await issue({ scope: 'observe create' })
  const refused = (await rejection(survey(url, {}, token))) as Error & { code: number }
  assert.is(refused.code, codes.forbidden)
  const all = await issue()
  for (const [options, rule] of [
    [{ detail: 'some' }, 'detail is one of tiers, workers, routers, transports, all'],
    [{ under: 7 }, 'under is the id of an entry'],
    [{ limit: -1 }, 'limit is a whole number from 0 to 100000'],
    [{ most: 0 }, 'most is a whole number from 1 to 20000'],
    [{ also: [[]] }, 'a view is an object'],
    [{ also: Array(17).fill({}) }, 'also is a list of at most 16 views'],
    [{ subscribe: 1 }, 'subscribe is true or false']
  ] as const) {
    const error = (await rejection(survey(url, options, all))) as Error & { code: number }
    assert.equal([error.code, error.message], [codes.params, `tier.survey: ${rule}`])
  }
})

/** Counts what Workers are asked for statistics. */
function countStats(): { calls: number } {
  const counted = { calls: 0 }
  const onWorker = (worker: ms.Worker) =>
    worker.observer.on('newrouter', router =>
      router.observer.on('newtransport', transport => {
        const getStats = transport.getStats.bind(transport)
        transport.getStats = (() => {
          counted.calls++
          return getStats()
        }) as typeof getStats
      })
    )
  localMediasoup.observer.on('newworker', onWorker)
  afterTest(() => localMediasoup.observer.off('newworker', onWorker))
  return counted
}

test('nothing is measured while nobody looks, and at most so often while somebody does', async () => {
  const counted = countStats()
  const tier = leaf(localMediasoup)
  const mediasoup = await client(tier)
  afterTest(() => mediasoup.close())
  const router = await (await mediasoup.createWorker()).createRouter()
  for (let i = 0; i < 300; i++) await router.createDirectTransport()
  assert.is(counted.calls, 0)
  const links = await Promise.all([1, 2].map(() => tier.open()))
  const began = performance.now()
  const viewers = await Promise.all(links.map(link => look(link, { detail: 'all', limit: 300 })))
  await viewers[0]!.find('DirectTransport', ({ bitrateIn }) => bitrateIn !== undefined)
  await until(() => performance.now() - began > 1_500)
  const turns = (performance.now() - began) / 100
  assert.ok(counted.calls > 5 && counted.calls <= 5 * (turns + 1), `${counted.calls} in ${turns}`)
  for (const link of links) link.close()
  await new Promise(resolve => setImmediate(resolve))
  const { calls } = counted
  const endedAt = performance.now()
  await until(() => performance.now() - endedAt > 500)
  assert.is(counted.calls, calls)
})

test('who does not keep up is told later what is true then, once', async () => {
  const tier = leaf(localMediasoup)
  const mediasoup = await client(tier)
  afterTest(() => mediasoup.close())
  const [slow, quick] = [await tier.open(), await tier.open()]
  const [late, prompt] = [await look(slow), await look(quick)]
  slow.pause()
  const worker = await mediasoup.createWorker()
  for (let i = 0; i < 3; i++) {
    await worker.createRouter()
    await until(() => prompt.of('Router').length === i + 1)
  }
  assert.equal(late.changes, [])
  slow.resume()
  await until(() => late.of('Router').length === 3)
  assert.is(
    late.changes.filter(({ changed }) => changed.some(({ kind }) => kind === 'Router')).length,
    1
  )
  slow.send(encodeRequest('end', 'tier.survey', [{ subscribe: false }]))
})

test.run()
