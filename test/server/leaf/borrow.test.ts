// Sessions of one realm share their Producers on a leaf: one consumes what another has produced, by
// nothing but its id.

import * as localMediasoup from 'mediasoup'
import type * as ms from 'mediasoup/types'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Borrowed, Found } from '../../../lib/borrow.ts'
import type { Announcement } from '../../../lib/codec.ts'
import { type LeafOptions, leaf } from '../../../server/index.ts'
import { flows, lender, rpcOf, sessionOf, stage } from '../../borrowing.ts'
import { afterTest, audio, cleanUp, rejection, rtp, until, vp8 } from '../../helper.ts'

cleanUp(test)

// A VP8 payload descriptor, and the first bytes of a key frame (RFC 7741).
const KEY_FRAME = Buffer.from('10000000009d012a10001000', 'hex')

const LOCAL: ms.TransportListenInfo = { protocol: 'udp', ip: '127.0.0.1' }

function startTier(options?: LeafOptions) {
  const tier = leaf(localMediasoup, options)
  afterTest(() => tier.close())
  return tier
}

const workers: [name: string, options: LeafOptions][] = [
  ['a leaf', {}],
  ['a shared Worker', { shareWorkers: true, poolSize: 1, linger: 0 }],
  ['shared Workers', { shareWorkers: true, poolSize: 2, linger: 0 }]
]

for (const [name, options] of workers) {
  test(`on ${name} a session consumes what another one produces, by its id`, async () => {
    const tier = startTier(options)
    const { producer } = await lender(await sessionOf(tier))
    const { consume } = await stage(await sessionOf(tier))
    const consumer = await consume(producer.id)
    assert.is(consumer.producerId, producer.id)
    assert.is(consumer.kind, 'audio')
    await flows(producer, consumer)
    const other = await consume(producer.id)
    await flows(producer, other)
  })

  test(`on ${name} messages of a DataProducer arrive in another session`, async () => {
    const tier = startTier(options)
    const { transport } = await stage(await sessionOf(tier))
    const dataProducer = await transport.produceData({ label: 'chat', protocol: 'text' })
    const borrower = await stage(await sessionOf(tier))
    const consumer = await borrower.transport.consumeData({ dataProducerId: dataProducer.id })
    assert.equal([consumer.label, consumer.protocol], ['chat', 'text'])
    assert.is(consumer.dataProducerId, dataProducer.id)
    const heard: string[] = []
    consumer.on('message', message => heard.push(message.toString()))
    await until(() => {
      dataProducer.send('hello')
      return heard.includes('hello')
    })
  })
}

test('pausing and closing cross, in both directions', async () => {
  const tier = startTier()
  const { producer } = await lender(await sessionOf(tier))
  const { consume, router } = await stage(await sessionOf(tier))
  const consumer = await consume(producer.id)
  await producer.pause()
  await until(() => consumer.producerPaused)
  await producer.resume()
  await until(() => !consumer.producerPaused)

  // The last Consumer takes the pipe with it, and not the Producer.
  const pipes = async () => Object.keys((await router.dump()).mapProducerIdConsumerIds).length
  consumer.close()
  await until(async () => (await pipes()) === 0)
  assert.not.ok(producer.closed)

  const again = await consume(producer.id)
  await flows(producer, again)
  const ended = new Promise(resolve => again.once('producerclose', () => resolve(true)))
  producer.close()
  assert.ok(await ended)
  const error = await rejection(consume(producer.id))
  assert.is(error.message, `Producer with id "${producer.id}" not found`)
})

test('the borrower hears of the end of the lender’s Router, Worker and session', async () => {
  const tier = startTier()
  const { consume } = await stage(await sessionOf(tier))
  const ends = {
    router: ({ router }) => router.close(),
    worker: ({ worker }) => worker.close(),
    session: ({ mediasoup }) => mediasoup.close()
  } satisfies Record<string, (lent: Awaited<ReturnType<typeof lender>>) => void>
  for (const end of Object.values(ends)) {
    const lent = await lender(await sessionOf(tier))
    const consumer = await consume(lent.producer.id)
    const ended = new Promise(resolve => consumer.once('producerclose', () => resolve(true)))
    end(lent)
    assert.ok(await ended)
    assert.ok(consumer.closed)
  }
})

test('key frames are asked for through the pipe', async () => {
  const tier = startTier()
  const { transport } = await stage(await sessionOf(tier))
  const codec = { mimeType: 'video/VP8', payloadType: 112, clockRate: 90000 }
  const rtcpFeedback = [{ type: 'nack', parameter: 'pli' }]
  const producer = await transport.produce({
    kind: 'video',
    rtpParameters: { codecs: [{ ...codec, rtcpFeedback }], encodings: [{ ssrc: 2222 }] }
  })
  const { consume } = await stage(await sessionOf(tier))
  let asked = 0
  transport.on('rtcp', () => asked++)
  const consumer = await consume(producer.id)
  let sent = 0
  await until(async () => {
    producer.send(rtp(sent++, { ssrc: 2222, payloadType: 112, payload: KEY_FRAME }))
    await consumer.requestKeyFrame()
    return asked > 0
  })
})

for (const shareWorkers of [true, false]) {
  test(`the lender sees nothing of who borrows, ${shareWorkers ? 'on a shared Worker' : 'on a Worker of its own'}`, async () => {
    const tier = startTier({ shareWorkers, poolSize: 1, linger: 0 })
    const { producer, router, worker, transport } = await lender(await sessionOf(tier))
    const dataProducer = await transport.produceData()
    const told: unknown[] = []
    router.observer.on('newtransport', transport => told.push(transport))
    const dumps = async () => JSON.stringify([await router.dump(), await worker.dump()])
    const before = await dumps()
    const borrower = await stage(await sessionOf(tier))
    await flows(producer, await borrower.consume(producer.id))
    await borrower.transport.consumeData({ dataProducerId: dataProducer.id })
    assert.is(await dumps(), before)
    assert.equal(told, [])
  })
}

test('a borrowed Router is to pipe from, and for nothing else', async () => {
  const tier = startTier()
  const lent = await lender(await sessionOf(tier, 'theirs'))
  const producerId = lent.producer.id
  const rpc = await rpcOf(tier, 'theirs')
  const { router, kind } = (await rpc.call('tier.borrow', { producerId })) as Borrowed
  assert.is(kind, 'audio')
  const refused: [method: string, ...params: unknown[]][] = [
    ['Router.createWebRtcTransport', router, { listenInfos: [LOCAL] }],
    ['Router.createDirectTransport', router],
    ['Router.dump', router],
    ['Router.updateMediaCodecs', router, []]
  ]
  for (const [method, ...params] of refused)
    assert.instance(
      await rejection(rpc.call(method, ...params)),
      localMediasoup.errors.UnsupportedError
    )
  const pipe = (await rpc.call('Router.createPipeTransport', router, {
    listenInfo: LOCAL
  })) as Announcement
  const consumer = (await rpc.call('PipeTransport.consume', pipe.$, { producerId })) as Announcement
  assert.is(consumer.members.producerId, producerId)
  const options = { ...audio(), id: 'planted' }
  assert.instance(
    await rejection(rpc.call('PipeTransport.produce', pipe.$, options)),
    localMediasoup.errors.UnsupportedError
  )
  // Its lender goes on, and sees none of it.
  assert.equal((await lent.router.dump()).transportIds, [lent.transport.id])
  await rpc.call('Router.close', router)
  assert.instance(await rejection(rpc.call('PipeTransport.dump', pipe.$)), Error)
  assert.not.ok(lent.router.closed)
})

test('a tier above asks for a realm, and a client has its own one only', async () => {
  const tier = startTier()
  const { producer } = await lender(await sessionOf(tier, 'theirs'))
  const rpc = await rpcOf(tier, 'ours')
  const wanted = { producerId: producer.id, realm: 'theirs' }
  const found = (await rpc.call('tier.search', wanted)) as Found
  assert.is(found.node, tier.node)
  for (const method of ['tier.find', 'tier.borrow'])
    assert.instance(await rejection(rpc.call(method, wanted)), localMediasoup.errors.NotFoundError)
})

test('what the borrower dumps has the ids that it knows', async () => {
  const tier = startTier()
  const { producer } = await lender(await sessionOf(tier))
  const { consume, router } = await stage(await sessionOf(tier))
  const consumer = await consume(producer.id)
  assert.is((await consumer.dump()).producerId, producer.id)
  const { mapProducerIdConsumerIds } = await router.dump()
  assert.equal(mapProducerIdConsumerIds, [{ key: producer.id, values: [consumer.id] }])
})

test('a survey tells what is borrowed as the borrower’s', async () => {
  const tier = startTier()
  const { producer } = await lender(await sessionOf(tier))
  const { consume, mediasoup, router } = await stage(await sessionOf(tier))
  await flows(producer, await consume(producer.id))
  const survey = await mediasoup.connection.survey({ detail: 'all' })
  await until(() => {
    const entries = [...survey.entries.values()]
    const pipes = entries.filter(({ kind }) => kind === 'PipeTransport')
    const routers = new Map(entries.map(entry => [entry.id, entry]))
    const sessions = pipes.map(({ of }) => (routers.get(of!) as { session?: string }).session)
    return pipes.length === 2 && sessions[0] !== undefined && sessions[0] === sessions[1]
  })
  assert.not.ok(router.closed)
})

test('what the borrower has goes with its session', async () => {
  const tier = startTier()
  const { producer, router } = await lender(await sessionOf(tier))
  const load = async () => {
    const { objects } = (await tier.figures!()).host!
    return JSON.stringify([...objects].filter(([, count]) => count))
  }
  const before = await load()
  const borrower = await sessionOf(tier)
  await flows(producer, await (await stage(borrower)).consume(producer.id))
  assert.is.not(await load(), before)
  borrower.close()
  await until(async () => (await load()) === before)
  assert.not.ok(router.closed)
})

test('a Producer of another realm is as unknown as one that never was', async () => {
  const tier = startTier()
  const { producer } = await lender(await sessionOf(tier, 'theirs'))
  const { consume, mediasoup, transport } = await stage(await sessionOf(tier, 'ours'))
  const never = '00000000-0000-4000-8000-000000000000'
  const answers = async (id: string) => {
    const tries = [consume(id), mediasoup.connection.find(id)]
    const failures = await Promise.all(tries.map(rejection))
    return failures.map(({ name, message }) => [name, message.replace(id, 'ID')])
  }
  assert.equal(await answers(producer.id), await answers(never))
  const [[, message]] = (await answers(never)) as [[string, string]]
  assert.is(message, 'Producer with id "ID" not found')
  const dataProducerId = never
  const error = await rejection(transport.consumeData({ dataProducerId }))
  assert.is(error.message, `DataProducer with id "${never}" not found`)
})

test('what is found, canConsume() knows', async () => {
  const tier = startTier()
  const { producer } = await lender(await sessionOf(tier))
  const { router, mediasoup } = await stage(await sessionOf(tier))
  const wanted = { producerId: producer.id, rtpCapabilities: router.rtpCapabilities }
  assert.not.ok(router.canConsume(wanted))
  const { kind, rtpParameters, consumableRtpParameters, type, paused } =
    await mediasoup.connection.find(producer.id)
  assert.equal(
    { kind, rtpParameters, consumableRtpParameters, type, paused },
    {
      kind: 'audio',
      rtpParameters: producer.rtpParameters,
      consumableRtpParameters: producer.consumableRtpParameters,
      type: 'simple',
      paused: false
    }
  )
  assert.ok(router.canConsume(wanted))
})

test('a Router without the codec refuses, as mediasoup does', async () => {
  const tier = startTier()
  const { producer } = await lender(await sessionOf(tier))
  const { consume, router } = await stage(await sessionOf(tier), { mediaCodecs: [vp8] })
  assert.instance(await rejection(consume(producer.id)), localMediasoup.errors.UnsupportedError)
  assert.equal((await router.dump()).mapProducerIdConsumerIds, [])
})

test('a session’s own Producer on another of its Routers is not borrowed', async () => {
  const { producer, mediasoup } = await lender(await sessionOf(startTier()))
  const { consume } = await stage(mediasoup)
  const error = await rejection(consume(producer.id))
  assert.is(error.message, `Producer with id "${producer.id}" not found`)
})

test('what was borrowed is piped on within the session, and observed', async () => {
  const tier = startTier()
  const { producer } = await lender(await sessionOf(tier))
  const { consume, router, mediasoup } = await stage(await sessionOf(tier))
  await consume(producer.id)
  const next = await stage(mediasoup)
  const { pipeProducer } = await router.pipeToRouter({
    producerId: producer.id,
    router: next.router
  })
  assert.is(pipeProducer?.id, producer.id)
  await flows(producer, await next.consume(producer.id))
  const observer = await router.createAudioLevelObserver()
  await observer.addProducer({ producerId: producer.id })
})

test.run()
