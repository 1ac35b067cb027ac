// Hosts here are leaves in processes of their own.

import * as localMediasoup from 'mediasoup'
import type * as ms from 'mediasoup/types'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type RemoteMediasoup, client, connect, remote } from '../../../client/index.ts'
import type { Hello } from '../../../lib/hello.ts'
import { type Link, type Tier, join, channel } from '../../../lib/tier.ts'
import { decode, encodeNotification, encodeResult } from '../../../lib/wire.ts'
import { type HorizontalOptions, horizontal } from '../../../proxy/index.ts'
import { leaf, serve } from '../../../server/index.ts'
import {
  afterTest,
  audio,
  cleanUp,
  createElsewhere,
  isAlive,
  opus,
  raw,
  rtp,
  run,
  slowness,
  startLeaf,
  until
} from '../../helper.ts'

cleanUp(test)

const startHosts = (count: number) => Promise.all(Array.from({ length: count }, () => startLeaf()))

/** A cluster, and what it says of its hosts. */
function cluster(tiers: Iterable<Tier>, options?: HorizontalOptions) {
  const tier = horizontal(tiers, options)
  afterTest(() => tier.close())
  const up = new Set<Tier>()
  const refused: Error[] = []
  tier.on('up', child => up.add(child))
  tier.on('down', child => up.delete(child))
  tier.on('refused', (_child, error) => refused.push(error))
  return { tier, up, refused }
}

/** A cluster of that many hosts, all of them up. */
async function startCluster(count: number) {
  const leaves = await startHosts(count)
  const children = leaves.map(({ url }) => remote(url))
  const all = cluster(children)
  await until(() => all.up.size === count)
  return { ...all, leaves, children }
}

async function use(tier: Tier): Promise<RemoteMediasoup> {
  const mediasoup = await client(tier)
  afterTest(() => mediasoup.close())
  return mediasoup
}

/** A Router on each of two hosts. */
async function twoRouters(mediasoup: RemoteMediasoup) {
  const first = await mediasoup.createWorker()
  const workers = [first, await createElsewhere(mediasoup, first)] as const
  const routers = [
    await workers[0].createRouter({ mediaCodecs: [opus] }),
    await workers[1].createRouter({ mediaCodecs: [opus] })
  ] as const
  return { workers, routers }
}

/** Which of the leaves has a Worker. */
async function hostOf(worker: ms.Worker, leaves: Awaited<ReturnType<typeof startHosts>>) {
  const { readFileSync } = await import('node:fs')
  const parent = Number(
    /^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${worker.pid}/status`, 'utf8'))?.[1]
  )
  return leaves.findIndex(({ child }) => child.pid === parent)
}

test('it is a collection with the semantics of a Set', () => {
  const [one, other] = [remote('ws://127.0.0.1:1'), remote('ws://127.0.0.1:2')]
  const { tier } = cluster([one, one])
  assert.is(tier.size, 1)
  assert.is(tier.add(other), tier)
  assert.is(tier.add(other).size, 2)
  assert.equal([...tier], [one, other])
  assert.is(tier.has(other), true)
  assert.is(tier.delete(other), true)
  assert.is(tier.delete(other), false)
  assert.is(tier.has(other), false)
})

test('Workers are spread over the hosts', async () => {
  const { tier, leaves } = await startCluster(3)
  const mediasoup = await use(tier)
  const workers = await Promise.all(Array.from({ length: 9 }, () => mediasoup.createWorker()))
  const counts = [0, 0, 0]
  for (const worker of workers) counts[await hostOf(worker, leaves)]!++
  assert.equal(counts, [3, 3, 3])
})

test('a Producer is piped to another host, over SRTP, and its RTP arrives', async () => {
  const { tier } = await startCluster(2)
  const {
    routers: [here, there]
  } = await twoRouters(await use(tier))
  const [source, sink] = [await here.createDirectTransport(), await there.createDirectTransport()]
  const producer = await source.produce({ ...audio(), appData: { speaker: 'me' } })
  const transports: ms.Transport[] = []
  there.observer.on('newtransport', transport => transports.push(transport))

  const { pipeConsumer, pipeProducer } = await here.pipeToRouter({
    producerId: producer.id,
    router: there
  })

  assert.is(pipeProducer!.id, producer.id)
  assert.is(pipeProducer!.appData, producer.appData)
  assert.is(pipeConsumer!.producerId, producer.id)
  const [pipe] = transports as [ms.PipeTransport]
  assert.ok(pipe.srtpParameters, 'pipes between hosts are encrypted')
  assert.ok(pipe.tuple.remotePort)
  const consumer = await sink.consume({
    producerId: producer.id,
    rtpCapabilities: there.rtpCapabilities
  })
  let received = 0
  consumer.on('rtp', () => received++)
  for (let i = 0; received < 50; i++) {
    producer.send(rtp(i))
    if (i % 10 === 9) await until(() => received > i - 20)
  }
})

test('pausing and closing cross hosts in both directions', async () => {
  const { tier } = await startCluster(2)
  const {
    routers: [here, there]
  } = await twoRouters(await use(tier))
  const source = await here.createDirectTransport()
  const [first, second, third] = await Promise.all(
    [1, 2, 3].map(ssrc => source.produce({ ...audio(ssrc), paused: ssrc === 2 }))
  )
  const pipes = await Promise.all(
    [first, second, third].map(producer =>
      here.pipeToRouter({ producerId: producer!.id, router: there })
    )
  )
  assert.equal(
    pipes.map(({ pipeProducer }) => pipeProducer!.paused),
    [false, true, false]
  )

  await first!.pause()
  await until(() => pipes[0]!.pipeProducer!.paused)
  await first!.resume()
  await until(() => !pipes[0]!.pipeProducer!.paused)

  first!.close()
  await until(() => pipes[0]!.pipeProducer!.closed && pipes[0]!.pipeConsumer!.closed)
  pipes[1]!.pipeProducer!.close()
  assert.ok(pipes[1]!.pipeConsumer!.closed, 'at once, as it would be in one process')
  const dumped = async (router: ms.Router) =>
    (await router.dump()).mapProducerIdConsumerIds as unknown as { key: string; values: string[] }[]
  await until(async () => (await dumped(there)).map(({ key }) => key).join() === third!.id)
  await until(async () =>
    (await dumped(here)).every(({ key, values }) => values.length === (key === third!.id ? 1 : 0))
  )

  here.close()
  assert.ok(pipes[2]!.pipeProducer!.closed)
  await until(async () => (await there.dump()).transportIds.length === 0)
})

test('concurrent calls share one pair of transports, whichever Router they start from', async () => {
  const { tier } = await startCluster(2)
  const {
    routers: [here, there]
  } = await twoRouters(await use(tier))
  const [one, other] = [await here.createDirectTransport(), await there.createDirectTransport()]
  const [a, b, c] = [
    await one.produce(audio(1)),
    await one.produce(audio(2)),
    await other.produce(audio(3))
  ]
  const data = await one.produceData({ label: 'chat' })
  await Promise.all([
    here.pipeToRouter({ producerId: a.id, router: there }),
    here.pipeToRouter({ producerId: b.id, router: there, keepId: false }),
    there.pipeToRouter({ producerId: c.id, router: here }),
    here.pipeToRouter({ dataProducerId: data.id, router: there })
  ])
  assert.is((await here.dump()).transportIds.length, 2)
  assert.is((await there.dump()).transportIds.length, 2)
})

test('a call that is wrong gets the error that mediasoup gives, and leaves nothing behind', async () => {
  const { tier } = await startCluster(2)
  const mediasoup = await use(tier)
  const {
    routers: [here, there]
  } = await twoRouters(mediasoup)
  const { NotFoundError } = mediasoup.errors
  const refused = async (
    options: Partial<ms.PipeToRouterOptions>,
    type: new (...args: never[]) => Error,
    message: RegExp
  ) => {
    const error = await here
      .pipeToRouter({ router: there, ...options } as ms.PipeToRouterOptions)
      .then(
        () => undefined,
        (error: Error) => error
      )
    assert.instance(error, type)
    assert.match(error!.message, message)
  }
  await refused({ producerId: 'nobody' }, NotFoundError, /Producer not found/)
  await refused({ dataProducerId: 'nobody' }, NotFoundError, /DataProducer not found/)
  await refused({}, TypeError, /missing producerId or dataProducerId/)
  await refused(
    { producerId: 'a', dataProducerId: 'b' },
    TypeError,
    /just producerId or dataProducerId/
  )
  const producer = await (await here.createDirectTransport()).produce(audio())
  await refused({ producerId: producer.id, listenIp: '192.0.2.1' }, Error, /bind failed/)
  await until(async () => (await there.dump()).transportIds.length === 0)
})

test('a host that dies takes its own Workers with it, and nothing else', async () => {
  const { tier, leaves, up } = await startCluster(2)
  const mediasoup = await use(tier)
  const { workers, routers } = await twoRouters(mediasoup)
  const victim = workers[0]
  const host = leaves[await hostOf(victim, leaves)]!
  const producer = await (await routers[0].createDirectTransport()).produce(audio())
  const { pipeProducer } = await routers[0].pipeToRouter({
    producerId: producer.id,
    router: routers[1]
  })
  const died = new Promise<Error>(resolve => victim.on('died', resolve))

  host.child.kill('SIGKILL')

  assert.match((await died).message, /connection was lost/)
  assert.ok(producer.closed)
  await until(() => pipeProducer!.closed)
  assert.not(workers[1].closed)
  await until(async () => (await routers[1].dump()).transportIds.length === 0)
  await until(() => up.size === 1)
  assert.not((await mediasoup.createWorker()).closed, 'new Workers go to the host that is left')
  assert.is(
    await routers[0].dump().then(
      () => undefined,
      error => error.name
    ),
    'WorkerClosedError'
  )
})

test('calls that are in flight when a host dies are rejected', async () => {
  const { tier, leaves } = await startCluster(1)
  const mediasoup = await use(tier)
  const worker = await mediasoup.createWorker()
  process.kill(leaves[0]!.child.pid!, 'SIGSTOP')
  const call = worker.getResourceUsage().then(
    () => undefined,
    (error: Error) => error.name
  )
  leaves[0]!.child.kill('SIGKILL')
  assert.is(await call, 'WorkerClosedError')
  process.kill(worker.pid, 'SIGKILL') // Its leaf could not.
})

test('a host that cannot be reached at the start joins when it appears, and comes back after it was gone', async () => {
  const [first] = await startHosts(1)
  const second = await startLeaf()
  const port = new URL(second.url).port
  second.child.kill('SIGTERM')
  await second.exited
  const { tier, up } = cluster([remote(first!.url), remote(second.url)])
  const failures: string[] = []
  tier.on('failed', (child, { message }) => failures.push(`${child.name}: ${message}`))
  await until(() => up.size === 1 && failures.length)
  assert.match(
    failures[0]!,
    `${second.url}/: cannot connect to ${second.url}/: connect ECONNREFUSED`
  )

  const listen = ['serve', '--listen', `127.0.0.1:${port}`]
  let again = run(listen)
  await until(() => up.size === 2)
  again.child.kill('SIGTERM')
  await until(() => up.size === 1)
  await again.exited
  again = run(listen)
  await until(() => up.size === 2)
  assert.is(tier.size, 2)
})

test('a new host takes its share at once; one that is taken out keeps its Workers if it drains, and loses them if not', async () => {
  const { tier, up, leaves, children } = await startCluster(1)
  const mediasoup = await use(tier)
  const first = await mediasoup.createWorker()
  const added = await startLeaf()
  tier.add(remote(added.url))
  await until(() => up.size === 2)
  const second = await mediasoup.createWorker()
  const all = [...leaves, added]
  assert.is(await hostOf(second, all), 1)

  tier.delete(children[0]!, { drain: true })
  const third = await mediasoup.createWorker()
  assert.is(await hostOf(third, all), 1)
  assert.ok((await first.createRouter()).id, 'a draining host still serves the Workers that it has')

  const [child] = tier
  const died = Promise.all(
    [second, third].map(worker => new Promise<Error>(resolve => worker.on('died', resolve)))
  )
  tier.delete(child!)
  for (const error of await died) assert.match(error.message, /taken out of the cluster/)
  assert.not(first.closed)
  await until(() => !isAlive(second.pid) && !isAlive(third.pid))
})

test('without hosts it refuses sessions with a sentence', async () => {
  const { tier } = cluster([remote('ws://127.0.0.1:1')], { patience: 50 })
  const error = await client(tier).then(
    () => undefined,
    (error: Error) => error
  )
  assert.is(error?.name, 'ConnectionError')
  assert.match(error!.message, /none of the 1 hosts of the cluster can be reached/)
})

/** A tier that says something else of itself. */
function impostor(tier: Tier, changes: Partial<Hello>): Tier {
  return {
    close: () => tier.close(),
    async open() {
      const inner = await tier.open()
      const [ours, theirs] = channel()
      ours.on('frame', frame => inner.send(frame))
      ours.on('close', () => inner.close())
      inner.on('close', error => ours.close(error))
      inner.on('frame', frame => {
        const message = decode(frame)
        const hello = 'result' in message ? (message.result as Hello) : undefined
        ours.send(hello?.protocol ? encodeResult(message.id!, { ...hello, ...changes }) : frame)
      })
      return theirs
    }
  }
}

test('a host that is not like its siblings is refused, and the difference is named', async () => {
  const { tier, refused, leaves } = await startCluster(1)
  const other = remote(leaves[0]!.url)
  const differences: [Partial<Hello>, RegExp][] = [
    [{ mediasoup: '3.26.0' }, /has mediasoup 3\.26\.0, and its siblings have 3\.27\.1/],
    [{ model: 'another' }, /in another way/],
    [{ supportedRtpCapabilities: {} }, /other RTP capabilities/]
  ]
  for (const [changes, message] of differences) {
    const child = impostor(other, { ...changes, node: 'another' })
    tier.add(child)
    await until(() => refused.length)
    assert.match(refused.pop()!.message, message)
    tier.delete(child)
  }
})

test('of hosts that are not alike and come up at once, one is refused', async () => {
  const [host] = await startHosts(1)
  const { up, refused } = cluster([
    remote(host!.url),
    impostor(remote(host!.url), { mediasoup: '3.26.0', node: 'another' })
  ])
  await until(() => up.size === 1 && refused.length === 1)
  assert.match(refused[0]!.message, /and its siblings have/)
})

test('versions may differ if the operator says so', async () => {
  const [host] = await startHosts(1)
  const { up, refused } = cluster(
    [remote(host!.url), impostor(remote(host!.url), { mediasoup: '3.26.0', node: 'another' })],
    { mixedVersions: true }
  )
  await until(() => up.size === 2)
  assert.is(refused.length, 0)
})

test('its load is the sum of that of its hosts, and a client can ask for it', async () => {
  const { tier } = await startCluster(2)
  const mediasoup = await use(tier)
  const {
    routers: [router]
  } = await twoRouters(mediasoup)
  const transport = await router.createDirectTransport()
  const producer = await transport.produce(audio())
  await transport.consume({ producerId: producer.id, rtpCapabilities: router.rtpCapabilities })
  await until(async () => {
    const { workers, routers, consumers } = await mediasoup.connection.getLoad()
    return workers === 2 && routers === 2 && consumers === 1
  })
  assert.ok((await mediasoup.connection.getLoad()).capacity >= 2)
})

test('mafalda serve with URLs is a cluster, and clusters nest', async () => {
  const leaves = await startHosts(2)
  const inner = await startLeaf(leaves.map(({ url }) => url))
  const outer = await startLeaf([inner.url])
  const mediasoup = await connect(outer.url)
  afterTest(() => mediasoup.close())
  const {
    workers,
    routers: [here, there]
  } = await twoRouters(mediasoup)
  assert.is.not(await hostOf(workers[0], leaves), await hostOf(workers[1], leaves))
  const producer = await (await here.createDirectTransport()).produce(audio())
  const { pipeProducer } = await here.pipeToRouter({ producerId: producer.id, router: there })
  producer.close()
  await until(() => pipeProducer!.closed)
})

test('a cycle of URLs is refused with a sentence', async () => {
  const leaf = await startLeaf()
  const first = await startLeaf([leaf.url, 'ws://127.0.0.1:1'])
  const port = new URL(first.url).port
  first.child.kill('SIGTERM')
  await first.exited
  // Each is a child of the other.
  const second = await startLeaf(['--vertical', first.url])
  const again = run(['serve', '--listen', `127.0.0.1:${port}`, second.url])
  const refused = (lines: string[]) =>
    lines.some(line => /host refused/.test(line) && /must not form a cycle/.test(line))
  await until(() => refused(second.lines) || refused(again.lines))
})

test('a host that does not answer fails its own calls, by name, and stalls nobody else', async () => {
  const { tier, leaves, children } = await startCluster(2)
  for (const child of children) tier.delete(child)
  const impatient = cluster(children, { timeout: 4_000 * (await slowness()) })
  await until(() => impatient.up.size === 2)
  const { workers } = await twoRouters(await use(impatient.tier))
  const sleeper = leaves[await hostOf(workers[0], leaves)]!
  sleeper.child.kill('SIGSTOP')
  const error = await workers[0].getResourceUsage().then(
    () => undefined,
    (error: Error) => error
  )
  assert.match(error!.message, new RegExp(`${sleeper.url}/ did not answer Worker.getResourceUsage`))
  assert.ok(await workers[1].getResourceUsage(), 'while the other one still sleeps')
  sleeper.child.kill('SIGCONT')
  assert.ok(await workers[0].getResourceUsage(), 'late is not lost for good')
})

/** A tier whose sessions can be made to say more than they do. */
function talkative(tier: Tier): Tier & { sessions: Link[] } {
  const sessions: Link[] = []
  return {
    sessions,
    close: () => tier.close(),
    async open() {
      const [ours, theirs] = channel()
      join(ours, await tier.open())
      sessions.push(ours)
      return theirs
    }
  }
}

test('a host that floods a client that does not read has to wait, loses nothing, and stalls nobody else', async () => {
  const MEBIBYTE = 1024 * 1024
  const noisy = talkative(leaf(localMediasoup))
  const [host, other] = [await serve(noisy), await serve(leaf(localMediasoup))]
  const { tier, up } = cluster([remote(host.url), remote(other.url)], { policy: 'scatter' })
  const entry = await serve(tier)
  for (const server of [host, other, entry]) afterTest(() => server.close())
  await until(() => up.size === 2)

  const slow = await raw(entry.url)
  const workers = [
    await slow.call('mediasoup.createWorker', {}),
    await slow.call('mediasoup.createWorker', {})
  ]
  const flood = noisy.sessions.at(-1)!
  const bystander = await use(remote(entry.url))
  const [theirs] = [await bystander.createWorker(), await bystander.createWorker()]
  slow.socket.pause()
  const event = encodeNotification('Worker.noise', ['unknown/1', 'x'.repeat(MEBIBYTE)])
  for (let i = 0; i < 48; i++) flood.send(event)
  // Long enough for it to have gone through, if nobody held it back.
  for (let i = 0; i < 200; i++) await theirs.getResourceUsage()
  assert.ok(flood.bufferedAmount > 16 * MEBIBYTE, `${flood.bufferedAmount} bytes wait at the host`)

  slow.socket.resume()
  await until(() => slow.heard.filter(({ method }) => method === 'Worker.noise').length === 48)
  for (const { result } of workers as { result: { $: string } }[])
    assert.ok((await slow.call('Worker.getResourceUsage', result.$)).result)
})

test('sessions end with their client, on every host', async () => {
  const { tier } = await startCluster(2)
  const mediasoup = await client(tier)
  const { workers } = await twoRouters(mediasoup)
  mediasoup.close()
  await until(() => workers.every(({ pid }) => !isAlive(pid)))
})

test.run()
