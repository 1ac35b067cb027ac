// A proxy is crash-only: killed, and started again with no memory, it finds its sessions on the
// leaves.

import type * as ms from 'mediasoup/types'
import { once } from 'node:events'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { UnknownOutcomeError, client, connect, remote } from '../../client/index.ts'
import { newSessionKey } from '../../lib/handshake.ts'
import { type VerticalOptions, vertical } from '../../proxy/index.ts'
import { serve } from '../../server/index.ts'
import { startRelay } from '../relay.ts'
import {
  afterTest,
  audio,
  cleanUp,
  createElsewhere,
  freePort,
  isAlive,
  opus,
  raw,
  rejection,
  rtp,
  slowness,
  startLeaf,
  until
} from '../helper.ts'

cleanUp(test)

/** A proxy over two leaves, that can be killed and started again, and a client of it. */
async function stage(...options: string[]) {
  const leaves = [await startLeaf(), await startLeaf()]
  const args = [
    '--listen',
    `127.0.0.1:${await freePort()}`,
    ...options,
    ...leaves.map(({ url }) => url)
  ]
  let proxy = await startLeaf(args)
  await until(() => proxy.lines.filter(line => line.includes('host is up')).length === 2)
  const mediasoup = await connect(proxy.url)
  afterTest(() => mediasoup.close())
  const heard: string[] = []
  for (const event of ['lost', 'died', 'regained', 'close'] as const)
    mediasoup.connection.on(event, () => heard.push(event))
  return {
    leaves,
    mediasoup,
    heard,
    /** kill -9, or a polite signal; the port is free again. */
    async kill(signal: NodeJS.Signals = 'SIGKILL') {
      proxy.child.kill(signal)
      await proxy.exited
      await until(() => heard.includes('lost'))
    },
    async restart() {
      proxy = await startLeaf(args)
      await until(() => heard.at(-1) === 'regained')
    }
  }
}

/** RTP goes on in the background; answers how much a Consumer has got. */
function flow(producer: ms.Producer, consumer: ms.Consumer, ssrc?: number) {
  let sequence = 0
  let received = 0
  consumer.on('rtp', () => received++)
  const timer = setInterval(() => {
    if (!producer.closed) producer.send(rtp(sequence++, { ssrc }))
  }, 5)
  afterTest(() => clearInterval(timer))
  return {
    more: async () => {
      const before = received
      await until(() => received > before + 5)
    }
  }
}

test('a cluster that is killed and started again goes on: Workers, pipes between hosts, and what is done with them', async () => {
  const { leaves, mediasoup, heard, kill, restart } = await stage()
  const one = await mediasoup.createWorker()
  const workers = [one, await createElsewhere(mediasoup, one)] as const
  const hosts = await Promise.all(
    workers.map(async worker => (await mediasoup.connection.locate(worker)).node)
  )
  assert.is.not(hosts[0], hosts[1])
  const [here, there] = [
    await workers[0].createRouter({ mediaCodecs: [opus] }),
    await workers[1].createRouter({ mediaCodecs: [opus] })
  ]
  const [source, sink] = [await here.createDirectTransport(), await there.createDirectTransport()]
  const producer = await source.produce(audio())
  await here.pipeToRouter({ producerId: producer.id, router: there })
  const consumer = await sink.consume({
    producerId: producer.id,
    rtpCapabilities: there.rtpCapabilities
  })
  const { more } = flow(producer, consumer)
  await more()
  const events: string[] = []
  for (const event of ['producerpause', 'producerresume', 'producerclose'] as const)
    consumer.on(event, () => events.push(event))

  await kill()
  await restart()
  await more()
  assert.equal(heard, ['lost', 'regained'])
  assert.not.ok(workers.some(({ closed }) => closed))

  await producer.pause()
  await until(() => consumer.producerPaused)
  await producer.resume()
  await until(() => !consumer.producerPaused)
  producer.close()
  await until(() => consumer.closed)
  assert.equal(events, ['producerpause', 'producerresume', 'producerclose'])
  const more2 = await source.produce(audio(2222))
  await here.pipeToRouter({ producerId: more2.id, router: there })
  assert.is(
    (await there.dump()).transportIds.length,
    2,
    'the pair of transports is the one from before'
  )

  mediasoup.close()
  await until(() => workers.every(({ pid }) => !isAlive(pid)))
  assert.ok(leaves.every(({ child }) => isAlive(child.pid!)))
})

test('a spanning Router goes on: what is piped, shared, observed and listened on, and what comes after', async () => {
  const { leaves, mediasoup, heard, kill, restart } = await stage(
    '--vertical',
    '--policy',
    'scatter',
    '--max-workers',
    '4'
  )
  const worker = await mediasoup.createWorker({ logLevel: 'error', appData: { mine: true } })
  const router = await worker.createRouter({ mediaCodecs: [opus] })
  const transports: ms.Transport[] = []
  for (let i = 0; i < 4; i++) transports.push(await router.createDirectTransport())
  const [source, ...sinks] = transports as [
    ms.DirectTransport,
    ms.DirectTransport,
    ms.DirectTransport,
    ms.DirectTransport
  ]
  const producer = await source.produce(audio())
  const consumers: ms.Consumer[] = []
  for (const sink of sinks)
    consumers.push(
      await sink.consume({ producerId: producer.id, rtpCapabilities: router.rtpCapabilities })
    )
  const observer = await router.createAudioLevelObserver({ interval: 250 })
  await observer.addProducer({ producerId: producer.id })
  const other = await (await mediasoup.createWorker()).createRouter({ mediaCodecs: [opus] })
  await router.pipeToRouter({ producerId: producer.id, router: other })
  const flows = consumers.map((consumer, i) =>
    i ? flow({ closed: true } as ms.Producer, consumer) : flow(producer, consumer)
  )
  for (const { more } of flows) await more()
  const places = await Promise.all(
    transports.map(async transport => (await mediasoup.connection.locate(transport)).pid)
  )
  const before = await router.dump()

  await kill()
  await restart()
  for (const { more } of flows) await more()
  assert.equal(heard, ['lost', 'regained'])
  assert.equal(await router.dump(), before)
  assert.equal((await worker.dump()).routerIds, [router.id])
  assert.equal(
    await Promise.all(
      transports.map(async transport => (await mediasoup.connection.locate(transport)).pid)
    ),
    places
  )

  // Pipes are known: a further Consumer shares one, and what is done with the Producer crosses
  // them.
  const further = await sinks[0].consume({
    producerId: producer.id,
    rtpCapabilities: router.rtpCapabilities
  })
  await flow({ closed: true } as ms.Producer, further).more()
  await producer.pause()
  await until(() => [...consumers, further].every(({ producerPaused }) => producerPaused))
  await producer.resume()
  await until(() => [...consumers, further].every(({ producerPaused }) => !producerPaused))
  const { length } = (await other.dump()).transportIds
  await router.pipeToRouter({ producerId: (await sinks[0].produce(audio(3333))).id, router: other })
  assert.is(
    (await other.dump()).transportIds.length,
    length,
    'the pair between two Routers is the one from before'
  )
  const second = await sinks[0].produce(audio(2222))
  const heardOn = await source.consume({
    producerId: second.id,
    rtpCapabilities: router.rtpCapabilities
  })
  await flow(second, heardOn, 2222).more()

  // A Worker below that dies takes only what was on it.
  const victim = (await mediasoup.connection.locate(sinks[2])).pid
  process.kill(victim, 'SIGKILL')
  await until(() => sinks[2].closed)
  assert.not.ok(worker.closed)
  producer.close()
  await until(() => consumers.every(({ closed }) => closed))
  mediasoup.close()
  await until(() => places.every(pid => !isAlive(pid)))
  assert.ok(leaves.every(({ child }) => isAlive(child.pid!)))
})

test('a proxy in the middle of a tree may die as well: those above it ask anew', async () => {
  const leaves = [await startLeaf(), await startLeaf()]
  const args = ['--listen', `127.0.0.1:${await freePort()}`, ...leaves.map(({ url }) => url)]
  const middle = await startLeaf(args)
  await until(() => middle.lines.filter(line => line.includes('host is up')).length === 2)
  const entry = await startLeaf([
    '--vertical',
    '--policy',
    'scatter',
    '--max-workers',
    '2',
    middle.url
  ])
  await until(() => entry.lines.some(line => line.includes('host is up')))
  const mediasoup = await connect(entry.url)
  afterTest(() => mediasoup.close())
  const worker = await mediasoup.createWorker()
  const router = await worker.createRouter({ mediaCodecs: [opus] })
  const [source, sink] = [
    await router.createDirectTransport(),
    await router.createDirectTransport()
  ]
  const producer = await source.produce(audio())
  const consumer = await sink.consume({
    producerId: producer.id,
    rtpCapabilities: router.rtpCapabilities
  })
  const { more } = flow(producer, consumer)
  await more()

  // Some calls are the entry's own to answer, and some pass through it: the middle gets them, and
  // never answers.
  middle.child.kill('SIGSTOP')
  const call = () =>
    [
      router.dump(),
      worker.dump(),
      consumer.getStats(),
      consumer.dump(),
      source.produce(audio(2222)),
      router.createDirectTransport()
    ] as Promise<unknown>[]
  const calls = Promise.all(call().map(rejection))
  await mediasoup.connection.getLoad() // The entry has sent them on.
  middle.child.kill('SIGKILL')
  await middle.exited
  await until(async () => (await mediasoup.connection.getLoad()).capacity === 0) // The entry knows.
  const later = Promise.all(call())
  await startLeaf(args)
  for (const error of await calls) assert.instance(error, UnknownOutcomeError)
  const [, , , , made, transport] = (await later) as [
    unknown,
    unknown,
    unknown,
    unknown,
    ms.Producer,
    ms.Transport
  ]
  made.close()
  transport.close()
  await more()
  await producer.pause()
  await until(() => consumer.producerPaused)
  assert.is((await router.dump()).transportIds.length, 2)
  assert.not.ok(worker.closed)
})

test('a spanning tier drops what has gone while the tier below it was replaced, and keeps the rest', async () => {
  const leaves = [await startLeaf(), await startLeaf()]
  const args = ['--listen', `127.0.0.1:${await freePort()}`, ...leaves.map(({ url }) => url)]
  const middle = await startLeaf(args)
  await until(() => middle.lines.filter(line => line.includes('host is up')).length === 2)
  const mediasoup = await client(vertical(remote(middle.url), { policy: 'scatter', maxWorkers: 2 }))
  afterTest(() => mediasoup.close())
  const worker = await mediasoup.createWorker()
  const router = await worker.createRouter({ mediaCodecs: [opus] })
  const transports = [
    await router.createDirectTransport(),
    await router.createDirectTransport()
  ] as const
  const pids = await Promise.all(
    transports.map(async transport => (await mediasoup.connection.locate(transport)).pid!)
  )
  assert.is.not(pids[0], pids[1])
  const producers = [
    await transports[0].produce(audio()),
    await transports[1].produce(audio(2222))
  ] as const
  const options = (i: 0 | 1) => ({
    producerId: producers[i].id,
    rtpCapabilities: router.rtpCapabilities
  })
  const consumers = [
    await transports[1].consume(options(0)),
    await transports[0].consume(options(1)),
    await transports[1].consume(options(1))
  ] as const
  const events: string[] = []
  for (const event of ['transportclose', 'producerclose'] as const)
    consumers.forEach((consumer, i) => consumer.on(event, () => events.push(`${i} ${event}`)))
  transports[0].on('routerclose', () => events.push('routerclose'))
  const before = await router.dump()

  middle.child.kill('SIGKILL')
  await middle.exited
  process.kill(pids[0]!, 'SIGKILL')
  await until(() => !isAlive(pids[0]!))
  await startLeaf(args)
  await until(() => transports[0].closed && consumers[0].closed)
  assert.not.ok(worker.closed || transports[1].closed || consumers[2].closed)
  assert.equal(events.toSorted(), ['0 producerclose', '1 transportclose', 'routerclose'])
  const after = await router.dump()
  assert.is(before.transportIds.length, 2)
  assert.equal(after.transportIds, [transports[1].id])
  await flow(producers[1], consumers[2], 2222).more()
  const again = await router.createDirectTransport()
  assert.is.not((await mediasoup.connection.locate(again)).pid, pids[1])
  await flow(producers[1], await again.consume(options(1)), 2222).more()
})

test('a host to which connections break while a new proxy looks for a session has it still', async () => {
  const leaves = [await startLeaf(), await startLeaf()] as const
  let cuts = 0
  const relay = await startRelay(leaves[0].url, direction =>
    direction === 'down' && cuts > 0 && cuts-- ? 'before' : undefined
  )
  const args = ['--listen', `127.0.0.1:${await freePort()}`, relay.url, leaves[1].url]
  const proxy = await startLeaf(args)
  await until(() => proxy.lines.filter(line => line.includes('host is up')).length === 2)
  const mediasoup = await connect(proxy.url)
  afterTest(() => mediasoup.close())
  const workers = [await mediasoup.createWorker(), await mediasoup.createWorker()]

  proxy.child.kill('SIGKILL')
  await proxy.exited
  cuts = 5
  await startLeaf(args)
  for (const worker of workers)
    await until(
      async () =>
        worker.closed ||
        (await worker.dump().then(
          () => true,
          () => false
        ))
    )
  assert.not.ok(workers.some(({ closed }) => closed))
})

test('a pipe that was not connected yet when the proxy died is made anew', async () => {
  const [here, there] = [await startLeaf(), await startLeaf()]
  let connects = 0
  const leaf = remote(there.url)
  const withholding = await serve({
    ...leaf,
    async open(options) {
      const link = await leaf.open(options)
      const send = link.send.bind(link)
      link.send = frame => {
        if (!String(frame).includes('"PipeTransport.connect"') || connects++) send(frame)
      }
      return link
    }
  })
  afterTest(() => withholding.close())
  const args = ['--listen', `127.0.0.1:${await freePort()}`, here.url, withholding.url]
  const proxy = await startLeaf(args)
  await until(() => proxy.lines.filter(line => line.includes('host is up')).length === 2)
  const mediasoup = await connect(proxy.url)
  afterTest(() => mediasoup.close())
  const [router, other] = (await Promise.all(
    [1, 2].map(async () => (await mediasoup.createWorker()).createRouter({ mediaCodecs: [opus] }))
  )) as [ms.Router, ms.Router]
  const [source, sink] = [await router.createDirectTransport(), await other.createDirectTransport()]
  const producer = await source.produce(audio())
  const piped = rejection(router.pipeToRouter({ producerId: producer.id, router: other }))
  await until(() => connects)

  proxy.child.kill('SIGKILL')
  await proxy.exited
  await startLeaf(args)
  assert.instance(await piped, UnknownOutcomeError)
  await router.pipeToRouter({ producerId: producer.id, router: other })
  await flow(
    producer,
    await sink.consume({ producerId: producer.id, rtpCapabilities: other.rtpCapabilities })
  ).more()
  const pairs = await Promise.all(
    [router, other].map(async each => (await each.dump()).transportIds.length)
  )
  assert.equal(pairs, [2, 2])
})

/**
 * A spanning tier in the process of its application, over a cluster that can be killed and started
 * again.
 */
async function stageInProcess(options?: VerticalOptions) {
  const leaf = await startLeaf()
  const args = ['--listen', `127.0.0.1:${await freePort()}`, leaf.url]
  let cluster = await startLeaf(args)
  await until(() => cluster.lines.some(line => line.includes('host is up')))
  const mediasoup = await client(vertical(remote(cluster.url), options))
  afterTest(() => mediasoup.close())
  return {
    leaf,
    mediasoup,
    async replace() {
      cluster.child.kill('SIGKILL')
      await cluster.exited
      cluster = await startLeaf(args)
    }
  }
}

test('a spanning tier in the process of its application outlives the tier below, and hears of its load again', async () => {
  const { leaf, mediasoup, replace } = await stageInProcess()
  const worker = await mediasoup.createWorker()
  const workers = async () => (await mediasoup.connection.getLoad()).workers
  await until(async () => (await workers()) === 1)

  await replace()
  const other = await connect(leaf.url)
  afterTest(() => other.close())
  await other.createWorker()
  await until(async () => (await workers()) === 2)
  assert.not.ok(worker.closed)
  assert.ok(await worker.createRouter())
})

test('a Worker that carries nothing after the tier below was replaced is kept if it carries something since', async () => {
  // Long enough to replace the tier below.
  const linger = 5_000 * (await slowness())
  const { mediasoup, replace } = await stageInProcess({ policy: 'scatter', maxWorkers: 2, linger })
  const router = await (await mediasoup.createWorker()).createRouter()
  await router.createDirectTransport()
  const first = await router.createDirectTransport()
  const place = await mediasoup.connection.locate(first)
  await replace()
  // What was sent to the one that died is lost.
  await until(() =>
    router.dump().then(
      () => true,
      () => false
    )
  )
  first.close()
  const isOver = performance.now() + linger
  const second = await router.createDirectTransport()
  assert.equal(await mediasoup.connection.locate(second), place)
  await until(() => performance.now() > isOver + 200, 60 + linger / 1000)
  assert.ok(await second.dump())

  second.close()
  await replace()
  await until(async () => (await mediasoup.connection.getLoad()).workers === 1)
})

test('what spans a tier that spans outlives its first part, and then that tier', async () => {
  const leaves = [await startLeaf(), await startLeaf()]
  const args = [
    '--listen',
    `127.0.0.1:${await freePort()}`,
    '--vertical',
    '--policy',
    'scatter',
    '--max-workers',
    '2',
    ...leaves.map(({ url }) => url)
  ]
  const region = await startLeaf(args)
  await until(() => region.lines.filter(line => line.includes('host is up')).length === 2)
  const entry = await startLeaf(['--vertical', '--max-workers', '1', region.url])
  await until(() => entry.lines.some(line => line.includes('host is up')))
  const mediasoup = await connect(entry.url)
  afterTest(() => mediasoup.close())
  const worker = await mediasoup.createWorker()
  const router = await worker.createRouter({ mediaCodecs: [opus] })
  const transports = [await router.createDirectTransport(), await router.createDirectTransport()]
  const pids = await Promise.all(
    transports.map(async transport => (await mediasoup.connection.locate(transport)).pid!)
  )
  assert.is.not(pids[0], pids[1])
  const first = pids.indexOf(worker.pid)
  process.kill(pids[first]!, 'SIGKILL')
  await until(() => transports[first]!.closed)

  region.child.kill('SIGKILL')
  await region.exited
  await startLeaf(args)
  const left = transports[1 - first]!
  await until(
    () =>
      left.closed ||
      left.dump().then(
        () => true,
        () => false
      )
  )
  assert.not.ok(worker.closed || router.closed || left.closed)
  assert.equal((await router.dump()).transportIds, [left.id])
})

test('two tiers, one above the other, may die at once, and the upper one come back first', async () => {
  const leaves = [await startLeaf(), await startLeaf()] as const
  const lower = ['--listen', `127.0.0.1:${await freePort()}`, leaves[0].url]
  const region = await startLeaf(lower)
  await until(() => region.lines.some(line => line.includes('host is up')))
  const upper = ['--listen', `127.0.0.1:${await freePort()}`, region.url, leaves[1].url]
  const entry = await startLeaf(upper)
  await until(() => entry.lines.filter(line => line.includes('host is up')).length === 2)
  const mediasoup = await connect(entry.url)
  afterTest(() => mediasoup.close())
  const workers = [await mediasoup.createWorker(), await mediasoup.createWorker()]
  for (const { child, exited } of [entry, region]) {
    child.kill('SIGKILL')
    await exited
  }

  const { lines } = await startLeaf(upper)
  await until(() => lines.some(line => line.includes('host cannot be reached')))
  await startLeaf(lower)
  for (const worker of workers)
    await until(
      () =>
        worker.closed ||
        worker.dump().then(
          () => true,
          () => false
        )
    )
  assert.not.ok(workers.some(({ closed }) => closed))
})

test('a connection that breaks before the client hears that the tier has forgotten costs nothing', async () => {
  const leaf = await startLeaf()
  const args = ['--listen', `127.0.0.1:${await freePort()}`, leaf.url]
  const proxy = await startLeaf(args)
  await until(() => proxy.lines.some(line => line.includes('host is up')))
  const key = newSessionKey()
  const opening = async (received: number, resume?: true) => {
    const peer = await raw(proxy.url)
    const { result } = await peer.call('tier.open', { ...key, received, resume })
    return { ...peer, result: result as { received: number | null } }
  }
  const first = await opening(0)
  const workers: string[] = []
  for (let i = 0; i < 3; i++)
    workers.push(((await first.call('mediasoup.createWorker')).result as { $: string }).$)
  proxy.child.kill('SIGKILL')
  await proxy.exited

  await startLeaf(args)
  for (let i = 0; i < 2; i++) {
    const again = await opening(3, true)
    assert.is(again.result.received, null)
    again.socket.terminate()
    await again.closed
  }
  const last = await opening(3, true)
  assert.is(last.result.received, null)
  assert.is((await until(() => last.heard[1])).method, 'tier.forgot')
  const nodes = [...new Set(workers.map(handle => handle.split('/')[0]))]
  assert.equal((await last.call('tier.recall', { nodes })).result, { count: 3 })
  last.socket.terminate()
  assert.is((await opening(3, true)).result.received, 1)
})

test('a proxy that is stopped and started again, as in a rolling restart, loses no session', async () => {
  const { mediasoup, heard, kill, restart } = await stage()
  const worker = await mediasoup.createWorker()
  const router = await worker.createRouter({ mediaCodecs: [opus] })
  await kill('SIGTERM')
  await restart()
  assert.is((await router.dump()).id, router.id)
  assert.equal(heard, ['lost', 'regained'])
  mediasoup.close()
  await until(() => !isAlive(worker.pid))
})

test('of two proxies over the same leaves, one takes over from the other', async () => {
  const leaves = [await startLeaf(), await startLeaf()]
  const proxies = [
    await startLeaf(leaves.map(({ url }) => url)),
    await startLeaf(leaves.map(({ url }) => url))
  ] as const
  for (const { lines } of proxies)
    await until(() => lines.filter(line => line.includes('host is up')).length === 2)
  const mediasoup = await connect(proxies.map(({ url }) => url))
  afterTest(() => mediasoup.close())
  const worker = await mediasoup.createWorker()
  const router = await worker.createRouter({ mediaCodecs: [opus] })
  const regained = once(mediasoup.connection, 'regained')
  proxies[0].child.kill('SIGKILL')
  assert.equal(await regained, [true])
  assert.is((await router.dump()).id, router.id)
  assert.not.ok(worker.closed)
})

test('calls that are in flight when a proxy dies are rejected as unknown, and what they made is closed', async () => {
  const { mediasoup, kill, restart } = await stage()
  const worker = await mediasoup.createWorker()
  const router = await worker.createRouter({ mediaCodecs: [opus] })
  const calls = Promise.all(
    Array.from({ length: 50 }, () =>
      router.createDirectTransport().then(
        ({ id }) => id,
        (error: Error) => error
      )
    )
  )
  await kill()
  await restart()
  const outcomes = await calls
  const unknown = outcomes.filter(outcome => outcome instanceof Error)
  for (const error of unknown) assert.instance(error, UnknownOutcomeError)
  await until(
    async () => (await router.dump()).transportIds.length === outcomes.length - unknown.length
  )
})

test('what is asked while there is no proxy waits for the next one', async () => {
  const { mediasoup, kill, restart } = await stage()
  const worker = await mediasoup.createWorker()
  await kill()
  const router = worker.createRouter({ mediaCodecs: [opus] })
  const another = mediasoup.createWorker()
  await restart()
  assert.equal((await worker.dump()).routerIds, [(await router).id])
  assert.ok(isAlive((await another).pid))
})

test('what happened meanwhile is told: Workers that died, Producers that were closed', async () => {
  const { mediasoup, kill, restart } = await stage()
  const first = await mediasoup.createWorker()
  const second = await createElsewhere(mediasoup, first)
  const died = once(first, 'died')
  await kill()
  process.kill(first.pid, 'SIGKILL')
  await until(() => !isAlive(first.pid))
  await restart()
  const [error] = await died
  assert.match(error.message, 'the Worker was lost while the tier was replaced')
  assert.not.ok(second.closed)
  assert.ok((await second.createRouter({ mediaCodecs: [opus] })).id)
})

test('a session of which the leaves have nothing any more dies with the error that says so', async () => {
  const { leaves, mediasoup, kill, restart, heard } = await stage('--grace', '2000')
  const worker = await mediasoup.createWorker()
  const died = once(worker, 'died')
  await kill()
  for (const { child, exited } of leaves) {
    child.kill('SIGKILL')
    await exited
  }
  const regained: boolean[] = []
  mediasoup.connection.on('regained', isResumed => regained.push(isResumed))
  void restart().catch(() => {})
  const [error] = await died
  assert.ok(error instanceof Error)
  await until(() => heard.includes('died'))
  assert.equal(regained, [], 'it is not told that a session goes on of which nothing is left')
  assert.instance(await rejection(worker.createRouter()), mediasoup.errors.WorkerClosedError)
})

test.run()
