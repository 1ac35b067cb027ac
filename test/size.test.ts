// One message is one message's fault: what is too large is refused where it is sent, and nothing
// else suffers.

import * as localMediasoup from 'mediasoup'
import type * as ms from 'mediasoup/types'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type RemoteMediasoup, type RemoteOptions, connect, remote } from '../client/index.ts'
import type { Tier } from '../lib/tier.ts'
import { horizontal, vertical } from '../proxy/index.ts'
import { type ServeOptions, leaf, serve } from '../server/index.ts'
import { afterTest, cleanUp, raw, rejection, startLeaf, until } from './helper.ts'

cleanUp(test)

const MiB = 1024 * 1024

async function start(tier: Tier, options?: ServeOptions): Promise<string> {
  const server = await serve(tier, options)
  afterTest(() => server.close())
  return server.url
}

async function startCluster(url: string, options?: RemoteOptions): Promise<Tier> {
  const tier = horizontal([remote(url, options)])
  afterTest(() => tier.close())
  await new Promise(resolve => tier.once('up', resolve))
  return tier
}

const startHost = (options?: ServeOptions) => start(leaf(localMediasoup), options)

/** Each tier with sockets between its parts. */
const tiers: Record<string, () => Promise<string>> = {
  'a leaf': () => startHost(),
  'a cluster': async () => start(await startCluster(await startHost())),
  'a vertical tier': async () => start(vertical(remote(await startHost()))),
  'a vertical tier over a cluster': async () =>
    start(vertical(await startCluster(await start(await startCluster(await startHost())))))
}

interface Room {
  mediasoup: RemoteMediasoup
  worker: ms.Worker
  router: ms.Router
  producer: ms.DataProducer
  arrived: number[]
  died: Error[]
  logged: string[]
}

/** A Router with a DataProducer, and who consumes it. */
async function use(url: string, options?: RemoteOptions): Promise<Room> {
  const mediasoup = await connect(url, { ...options, reconnect: false })
  afterTest(() => mediasoup.close())
  const [died, logged, arrived]: [Error[], string[], number[]] = [[], [], []]
  mediasoup.connection.on('died', error => died.push(error))
  mediasoup.setLogEventListeners({ onerror: (_namespace, text) => logged.push(text) })
  const worker = await mediasoup.createWorker()
  worker.on('died', error => died.push(error))
  const router = await worker.createRouter()
  const sizes = {
    maxSendMessageSize: 16 * MiB,
    maxReceiveMessageSize: 16 * MiB
  } as ms.DirectTransportOptions
  const [here, there] = [
    await router.createDirectTransport(sizes),
    await router.createDirectTransport(sizes)
  ]
  const producer = await here.produceData({ label: 'large' })
  const consumer = await there.consumeData({ dataProducerId: producer.id })
  consumer.on('message', message => arrived.push(message.length))
  return { mediasoup, worker, router, producer, arrived, died, logged }
}

/** A call of so many bytes. */
const largeCall = (router: ms.Router, bytes: number) =>
  router.createPlainTransport({
    listenInfo: { protocol: 'udp', ip: '127.0.0.1', announcedAddress: 'x'.repeat(bytes) }
  })

for (const [name, startTier] of Object.entries(tiers)) {
  test(`a message of up to mediasoup's own bound arrives through ${name}; a larger one is lost alone`, async () => {
    const { worker, producer, arrived, died, logged } = await use(await startTier())
    for (const size of [7 * MiB, 10 * MiB, 5]) producer.send(Buffer.alloc(size, 1))
    await until(() => arrived.includes(5) || died.length, 30)
    assert.equal([died, arrived], [[], [7 * MiB, 5]])
    assert.match(
      logged.join(),
      /DataProducer\.send has 104\d+ bytes, and the peer takes at most 9437184/
    )
    assert.ok((await worker.createRouter()).id)
  })

  test(`a call that is too large rejects, and nothing else of ${name} suffers`, async () => {
    const { worker, router, died } = await use(await startTier())
    const [error, other] = await Promise.all([
      rejection(largeCall(router, 10 * MiB)),
      worker.createRouter()
    ])
    assert.is(error.name, 'LimitError')
    assert.match(
      error.message,
      /^Router\.createPlainTransport has 104\d+ bytes, and the peer takes at most 9437184$/
    )
    assert.ok((await other.dump()).id)
    assert.equal(died, [])
  })

  test(`an answer or event that is too large for the client of ${name} is replaced by an error, or lost alone`, async () => {
    const { worker, router, producer, arrived, died } = await use(await startTier(), {
      maxPayload: 32 * 1024
    })
    for (const size of [40 * 1024, 7]) producer.send(Buffer.alloc(size, 1))
    await until(() => arrived.length || died.length)
    assert.equal([died, arrived], [[], [7]])
    await Promise.all(Array.from({ length: 1_000 }, () => router.createDirectTransport()))
    const error = await rejection(router.dump())
    assert.is(error.name, 'LimitError')
    assert.match(error.message, /^the answer has \d{5} bytes, and the peer takes at most 32768$/)
    assert.ok((await worker.createRouter()).id)
  })
}

test('a tier in between answers for the smaller bound of the one below', async () => {
  const url = await start(await startCluster(await startHost({ maxPayload: 64 * 1024 })))
  const { worker, router, producer, arrived, died, logged } = await use(url)
  const error = await rejection(largeCall(router, 100_000))
  assert.match(
    error.message,
    /^Router\.createPlainTransport has 100\d+ bytes, and the peer takes at most 65536$/
  )
  for (const size of [100_000, 7]) producer.send(Buffer.alloc(size, 1))
  await until(() => arrived.length || died.length)
  assert.equal([died, arrived], [[], [7]])
  await until(() =>
    logged.some(text => /a message was refused: DataProducer\.send has 100\d+ bytes/.test(text))
  )
  assert.ok((await worker.createRouter()).id)
})

test('--max-payload also holds for what a tier takes from those below, if it is more than they take by default', async () => {
  const bound = ['--max-payload', String(12 * MiB)]
  const { url: below } = await startLeaf(bound)
  const { url } = await startLeaf([below, ...bound])
  const { router } = await use(url, { maxPayload: 12 * MiB })
  const transport = await router.createDirectTransport()
  const producerId = 'x'.repeat(10 * MiB)
  const error = await rejection(
    transport.consume({ producerId, rtpCapabilities: router.rtpCapabilities })
  )
  assert.ok(
    error.message === `Producer with id "${producerId}" not found`,
    error.message.slice(0, 200)
  )
})

test('the answer to an opening says what the tier takes; who sends more all the same is cut, alone', async () => {
  const url = await startHost({ maxPayload: 64 * 1024 })
  const { worker } = await use(url)
  const peer = await raw(url)
  const key = { session: 'session-of-a-test', secret: 'secret-of-that-session' }
  const { result } = await peer.call('tier.open', { ...key, received: 0, maxPayload: 2_000 })
  assert.is((result as { maxPayload: number }).maxPayload, 64 * 1024)
  const { error } = await peer.call('rpc.discover')
  assert.match(error!.message, /^the answer has \d+ bytes, and the peer takes at most 2000$/)
  peer.send('x'.repeat(64 * 1024 + 1))
  assert.is((await peer.closed).code, 1009)
  assert.ok((await worker.createRouter()).id)
})

test.run()
