// Pressure in either direction: what a peer does not take waits where it came from, within bounds,
// and nobody else suffers.

import { once } from 'node:events'
import * as localMediasoup from 'mediasoup'
import type * as ms from 'mediasoup/types'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type RemoteOptions, connect, remote } from '../client/index.ts'
import { type Link, type Tier, join, channel } from '../lib/tier.ts'
import { encodeNotification } from '../lib/wire.ts'
import { horizontal, vertical } from '../proxy/index.ts'
import { type ServeOptions, leaf, serve } from '../server/index.ts'
import { afterTest, audio, cleanUp, opus, raw, rejection, rtp, startLeaf, until } from './helper.ts'

cleanUp(test)

const MiB = 1024 * 1024

async function start(tier: Tier, options?: ServeOptions) {
  const server = await serve(tier, options)
  afterTest(() => server.close())
  return server
}

async function use(url: string, options?: RemoteOptions) {
  const mediasoup = await connect(url, { ...options, reconnect: false })
  afterTest(() => mediasoup.close())
  const heard: string[] = []
  for (const event of ['lost', 'died'] as const)
    mediasoup.connection.on(event, error => heard.push(`${event}: ${error.message}`))
  return { mediasoup, heard }
}

/** A call of 100 kB that mediasoup refuses with a TypeError. */
const largeCall = (router: ms.Router) =>
  router.createPlainTransport({ padding: 'x'.repeat(100_000) } as never)

/**
 * So many calls, of which each is answered before the next: long enough for what is not held back
 * to have gone through.
 */
async function work(worker: ms.Worker, calls = 100) {
  for (let i = 0; i < calls; i++) await worker.getResourceUsage()
}

// An application's own burst

test('more calls in one turn than a socket takes wait, visibly, and all are answered', async () => {
  const { url } = await start(leaf(localMediasoup))
  const {
    mediasoup: { connection, createWorker },
    heard
  } = await use(url)
  const router = await (await createWorker()).createRouter()
  assert.is(connection.bufferedAmount, 0)

  const names: string[] = []
  const calls = Array.from({ length: 1_000 }, () =>
    largeCall(router).catch(error => names.push(error.name))
  )
  assert.ok(connection.bufferedAmount > 90_000_000, `${connection.bufferedAmount} bytes wait`)
  await once(connection, 'drain')
  assert.ok(connection.bufferedAmount <= MiB)
  await Promise.all(calls)
  assert.equal([heard, new Set(names)], [[], new Set(['TypeError'])])
  assert.ok((await router.dump()).id)
})

test('above the bound, calls and messages of the burst are refused, and nothing else', async () => {
  const { url } = await start(leaf(localMediasoup))
  const {
    mediasoup: { connection, createWorker },
    heard
  } = await use(url, { maxBacklog: 8 * MiB })
  const router = await (await createWorker()).createRouter()
  const [here, there] = [await router.createDirectTransport(), await router.createDirectTransport()]
  const producer = await here.produceData({ label: 'burst' })
  const consumer = await there.consumeData({ dataProducerId: producer.id })
  const arrived: string[] = []
  consumer.on('message', message => arrived.push(message.toString()))

  const calls = Array.from({ length: 200 }, () => rejection(largeCall(router)))
  assert.throws(
    () => producer.send(Buffer.alloc(100_000)),
    /^DataProducer\.send has to wait: 6\d+ bytes of at most 8388608 wait/
  )
  here.close()
  const errors = (await Promise.all(calls)).map(({ name, message }) =>
    name === 'LimitError' ? message.replaceAll(/\d+/g, 'N') : name
  )
  const refusal =
    'Router.createPlainTransport has to wait: N bytes of at most N wait to be sent, or to arrive'
  assert.equal(new Set(errors), new Set(['TypeError', refusal]))
  assert.is(
    errors.filter(error => error === 'TypeError').length,
    62,
    'three quarters of the bound were sent'
  )
  await until(() => consumer.closed)
  assert.equal([heard, arrived, connection.bufferedAmount], [[], [], 0])
})

test('a client that asks for much at once is answered as fast as it reads', async () => {
  const { url } = await start(leaf(localMediasoup))
  const peer = await raw(url)
  // Answers of more than may wait; few of the questions are read at once.
  const COUNT = 1_200
  const params = ['x'.repeat(1_000)]
  for (let id = 0; id < COUNT; id++)
    peer.send({ jsonrpc: '2.0', id, method: 'rpc.discover', params })
  await until(() => peer.heard.length === COUNT || peer.socket.readyState !== peer.socket.OPEN)
  assert.equal(
    peer.heard.map(({ id }) => id),
    Array.from({ length: COUNT }, (_, id) => id)
  )
})

// A tier below that takes nothing

/** Remembers the links of its sessions. */
function watched(tier: Tier): Tier & { links: Link[] } {
  const links: Link[] = []
  return {
    ...tier,
    links,
    async open(options) {
      const link = await tier.open(options)
      links.push(link)
      return link
    }
  }
}

/** A session on a tier over two hosts, one of which stops; and the link to that host. */
async function startStopped(over: (cluster: Tier) => Tier) {
  const [stopped, other] = [await startLeaf(), await startLeaf()]
  // It is not to be taken for lost.
  const below = watched(remote(stopped.url, { silence: 600_000 }))
  const cluster = horizontal([below, remote(other.url)], { policy: 'scatter' })
  afterTest(() => cluster.close())
  await new Promise<void>(resolve =>
    cluster.on('up', () => {
      if (cluster.load.capacity && ++up === 2) resolve()
    })
  )
  const { url } = await start(over(cluster))
  const { mediasoup, heard } = await use(url)
  const workers = [await mediasoup.createWorker(), await mediasoup.createWorker()]
  const nodes = await Promise.all(workers.map(worker => mediasoup.connection.locate(worker)))
  const isStopped = (pid: number) => stoppedPids.includes(pid)
  const stoppedPids = await childrenOf(stopped.child.pid!)
  const at = isStopped(nodes[0]!.pid) ? 0 : 1
  afterTest(() => stopped.child.kill('SIGCONT'))
  return {
    mediasoup,
    heard,
    child: stopped.child,
    link: below.links.at(-1)!,
    here: workers[at]!,
    elsewhere: workers[1 - at]!
  }
}

let up = 0

async function childrenOf(pid: number): Promise<number[]> {
  const { readFile } = await import('node:fs/promises')
  return (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim().split(' ').map(Number)
}

for (const [name, over] of [
  ['a cluster', tier => tier],
  ['a vertical tier', tier => vertical(tier)]
] as [string, (cluster: Tier) => Tier][]) {
  test(`a host that stops costs ${name} a bounded memory: packets are dropped, the rest waits, and others go on`, async () => {
    up = 0
    const { heard, child, link, here, elsewhere } = await startStopped(over)
    const router = await here.createRouter({ mediaCodecs: [opus] })
    const [source, sink] = [
      await router.createDirectTransport(),
      await router.createDirectTransport()
    ]
    const producer = await source.produce(audio())
    const dataProducer = await source.produceData({ label: 'stopped' })
    const dataConsumer = await sink.consumeData({ dataProducerId: dataProducer.id })
    let arrived = 0
    dataConsumer.on('message', () => arrived++)

    child.kill('SIGSTOP')
    const payload = Buffer.alloc(60_000)
    for (let i = 0; i < 1_000; i++) {
      producer.send(rtp(i, { payload }))
      if (i % 10 === 0) await work(elsewhere, 1)
    }
    assert.ok(link.bufferedAmount < 2 * MiB, `${link.bufferedAmount} bytes of packets wait`)

    const calls = []
    for (let i = 0; i < 400; i++) {
      calls.push(rejection(largeCall(router)))
      if (i % 10 === 0) await work(elsewhere, 1)
    }
    await work(elsewhere)
    assert.ok(link.bufferedAmount < 17 * MiB, `${link.bufferedAmount} bytes of calls wait`)

    for (let i = 0; i < 400; i++) dataProducer.send(Buffer.alloc(100_000))
    child.kill('SIGCONT')
    const errors = (await Promise.all(calls)).map(error =>
      error.name === 'LimitError' ? error.message.replaceAll(/\d+/g, 'N') : error.name
    )
    const refusal =
      'Router.createPlainTransport was refused: the tier below does not keep up, and N bytes wait for it'
    assert.equal(new Set(errors), new Set(['TypeError', refusal]))
    await until(() => arrived === 400, 60)
    assert.equal(heard, [])
    assert.ok((await router.dump()).id)
  })
}

test('messages to a host that stops wait at the client, and not in the tier between', async () => {
  up = 0
  const {
    mediasoup: { connection },
    heard,
    child,
    link,
    here
  } = await startStopped(tier => vertical(tier))
  const router = await here.createRouter()
  const [source, sink] = [
    await router.createDirectTransport(),
    await router.createDirectTransport()
  ]
  const producer = await source.produceData({ label: 'stopped' })
  const consumer = await sink.consumeData({ dataProducerId: producer.id })
  let arrived = 0
  consumer.on('message', () => arrived++)

  child.kill('SIGSTOP')
  for (let i = 0; i < 400; i++) producer.send(Buffer.alloc(100_000))
  await until(() => link.bufferedAmount > 16 * MiB)
  const waiting = connection.bufferedAmount
  assert.ok(link.bufferedAmount < 20 * MiB, `${link.bufferedAmount} bytes wait in between`)
  assert.ok(waiting > 16 * MiB, `${waiting} bytes wait at the client`)
  child.kill('SIGCONT')
  await until(() => arrived === 400, 60)
  assert.equal(heard, [])
})

// Before the tier below is open

const key = (name: string) => ({
  session: `session-of-test-${name}`,
  secret: 'secret-of-that-session'
})

for (const resume of [false, true]) {
  test(`what follows the opening of a session that is ${resume ? 'resumed' : 'begun'} at once is not lost`, async () => {
    const inner = leaf(localMediasoup)
    const opening = Promise.withResolvers<void>()
    const { url } = await start({
      resumable: true,
      open: () => opening.promise.then(() => inner.open()),
      close: () => inner.close()
    })
    const peer = await raw(url)
    peer.send({
      jsonrpc: '2.0',
      id: 'open',
      method: 'tier.open',
      params: [{ ...key('early'), received: resume ? null : 0, ...(resume && { resume }) }]
    })
    for (const id of ['first', 'second'])
      peer.send({ jsonrpc: '2.0', id, method: 'tier.hello', params: [] })
    const bystander = await raw(url)
    bystander.send({
      jsonrpc: '2.0',
      id: 'open',
      method: 'tier.open',
      params: [{ ...key('bystander'), received: 0 }]
    })
    await until(() => bystander.heard.length)
    opening.resolve()
    await until(() => peer.heard.filter(({ method }) => method !== 'tier.ack').length === 3)
    assert.equal(
      peer.heard.map(({ id }) => id),
      ['open', 'first', 'second']
    )
  })
}

test('a peer that sends much before the tier below is open has to wait, and loses nothing', async () => {
  const [ours, theirs] = channel()
  const opening = Promise.withResolvers<Link>()
  const inner = leaf(localMediasoup)
  let opened = 0
  const { url } = await start({
    open: () => (opened++ ? inner.open() : opening.promise),
    close: () => inner.close()
  })
  let arrived = 0
  ours.on('frame', () => arrived++)
  const peer = await raw(url)
  const header = '{"jsonrpc":"2.0","method":"Producer.send","params":["a/1",{"$":"payload"}]}'
  const frame = Buffer.concat([Buffer.of(0, header.length), Buffer.from(header), Buffer.alloc(MiB)])
  for (let i = 0; i < 64; i++) peer.send(frame)
  const { mediasoup } = await use(url)
  await work(await mediasoup.createWorker())
  assert.ok(
    peer.socket.bufferedAmount > 32 * MiB,
    `${peer.socket.bufferedAmount} bytes wait at the peer`
  )
  opening.resolve(theirs)
  await until(() => arrived === 64)
})

// All sessions together

/** A tier whose sessions can be made to say more than they do. */
function talkative(tier: Tier): Tier & { sessions: Link[] } {
  const sessions: Link[] = []
  return {
    sessions,
    async open() {
      const [ours, theirs] = channel()
      join(ours, await tier.open())
      sessions.push(ours)
      return theirs
    },
    close: () => tier.close()
  }
}

for (const [kind, received] of [
  ['that outlive their connections', 0],
  ['that end with them', undefined]
] as const) {
  test(`of sessions ${kind}, the one that keeps most ends when all together keep too much`, async () => {
    const tier = talkative(leaf(localMediasoup))
    const server = await start(tier, { maxMemory: 24 * MiB })
    const peers = await Promise.all(
      ['one', 'other'].map(async name => {
        const peer = await raw(server.url)
        if (received !== undefined) await peer.call('tier.open', { ...key(name), received })
        await peer.call('tier.hello')
        peer.socket.pause()
        return peer
      })
    )
    const { mediasoup, heard } = await use(server.url)
    const worker = await mediasoup.createWorker()
    const ended: string[] = []
    tier.sessions.forEach((session, i) =>
      session.once('close', error => ended.push(`${i}: ${error?.message}`))
    )

    const event = encodeNotification('Worker.noise', ['unknown/1', 'x'.repeat(MiB)])
    const tell = async (i: number, count: number) => {
      for (let n = 0; n < count; n++) tier.sessions[i]!.send(event)
      await work(worker, 3)
    }
    await tell(0, 8)
    await tell(1, 40)
    await until(() => ended.length)
    assert.match(
      ended.join(),
      /^1: (the connection was lost: )?all sessions together keep more than 25165824 bytes, and this one kept most: \d{8}$/
    )
    assert.equal([server.sessions, heard], [2, []])
    peers[0]!.socket.resume()
    await until(
      () => peers[0]!.heard.filter(({ method }) => method === 'Worker.noise').length === 8
    )
    assert.ok((await worker.createRouter()).id)
  })
}

test.run()
