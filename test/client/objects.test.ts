// What the objects of a client do by themselves, without asking their host: on the mock, and often
// beside plain mediasoup.

import type { EventEmitter } from 'node:events'
import { createServer } from 'node:net'
import * as localMediasoup from 'mediasoup'
import type * as ms from 'mediasoup/types'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type RemoteMediasoup, client } from '../../client/index.ts'
import { leaf } from '../../server/index.ts'
import { type Frame, type Tier, join, channel } from '../../lib/tier.ts'
import { afterTest, audio, cleanUp, mock, opus, rtp, until, vp8 } from '../helper.ts'

type Mediasoup = typeof localMediasoup

cleanUp(test)

/** A tier that lets all frames through, and keeps them. */
function tapped(tier: Tier) {
  const frames: Frame[] = []
  const open = async () => {
    const link = await tier.open()
    const [ours, theirs] = channel()
    for (const end of [link, theirs]) end.on('frame', frame => frames.push(frame))
    join(theirs, link)
    return ours
  }
  return { tier: { open, close: () => tier.close() }, frames }
}

async function openTapped() {
  const { tier, frames } = tapped(leaf(localMediasoup))
  const mediasoup = await client(tier)
  afterTest(() => mediasoup.close())
  return { mediasoup, frames }
}

async function openRouter(mediasoup: Mediasoup, mediaCodecs = [opus]) {
  const worker = await mediasoup.createWorker()
  afterTest(() => worker.close())
  return { worker, router: await worker.createRouter({ mediaCodecs }) }
}

/** The same on plain mediasoup and on the mock. */
async function both<T>(run: (mediasoup: Mediasoup) => Promise<T>): Promise<[plain: T, mocked: T]> {
  return [await run(localMediasoup), await run(await mock())]
}

test("appData is the caller's own object, with whatever is in it, and never leaves the process", async () => {
  const { mediasoup, frames } = await openTapped()
  const socket = createServer()
  const secret = 'do not tell'
  const appData = {
    peers: new Map([['alice', secret]]),
    ready: Promise.resolve(secret),
    socket,
    self: {} as object,
    tell: () => secret,
    [secret]: secret
  }
  appData.self = appData // JSON could not even say it.

  const worker = await mediasoup.createWorker({ appData })
  const webRtcServer = await worker.createWebRtcServer({
    listenInfos: [{ protocol: 'udp', ip: '127.0.0.1' }],
    appData
  })
  const router = await worker.createRouter({ mediaCodecs: [opus], appData })
  const transport = await router.createDirectTransport({ appData })
  const producer = await transport.produce({ ...audio(), appData })
  const dataProducer = await transport.produceData({ appData })
  const objects = [
    worker,
    webRtcServer,
    router,
    transport,
    producer,
    dataProducer,
    await router.createWebRtcTransport({ webRtcServer, appData }),
    await router.createAudioLevelObserver({ appData }),
    await transport.consume({
      producerId: producer.id,
      rtpCapabilities: router.rtpCapabilities,
      appData
    }),
    await transport.consumeData({ dataProducerId: dataProducer.id, appData })
  ]

  for (const object of objects) assert.is(object.appData, appData, object.constructor.name)
  assert.ok(frames.length > 20)
  assert.is(
    frames.some(frame => frame.includes(secret) || frame.includes('alice')),
    false
  )
})

test('the observer hears of an object whose appData is there already', async () => {
  const mediasoup = await mock()
  const appData = { name: 'mine' }
  const { router } = await openRouter(mediasoup)
  const heard: unknown[] = []
  router.observer.on('newtransport', transport => heard.push(transport.appData))
  await router.createDirectTransport({ appData })
  assert.is(heard.length, 1)
  assert.is(heard[0], appData)
})

test('appData may be replaced, and is an empty object if not given', async () => {
  const { worker, router } = await openRouter(await mock())
  for (const object of [worker, router, await router.createDirectTransport()]) {
    assert.equal(object.appData, {})
    const appData = { of: object }
    object.appData = appData
    assert.is(object.appData, appData)
  }
})

test('appData that is no object is refused as by plain mediasoup', async () => {
  const [plain, mocked] = await both(async mediasoup => {
    const { worker } = await openRouter(mediasoup)
    return errorOf(() => worker.createRouter({ appData: 'mine' as never }))
  })
  assert.is(plain, 'TypeError: if given, appData must be an object')
  assert.is(mocked, plain)
})

test('the Producer of a pipe has the appData of the original, as long as it is not replaced', async () => {
  const [plain, mocked] = await both(async mediasoup => {
    const near = await openRouter(mediasoup)
    const far = await openRouter(mediasoup)
    const transport = await near.router.createDirectTransport()
    const producer = await transport.produce({ ...audio(), appData: { mic: new Map() } })
    const dataProducer = await transport.produceData({ appData: { chat: new Map() } })
    const { pipeProducer, pipeConsumer } = await near.router.pipeToRouter({
      producerId: producer.id,
      router: far.router
    })
    const { pipeDataProducer, pipeDataConsumer } = await near.router.pipeToRouter({
      dataProducerId: dataProducer.id,
      router: far.router
    })
    return {
      producer: pipeProducer!.appData === producer.appData,
      dataProducer: pipeDataProducer!.appData === dataProducer.appData,
      consumer: pipeConsumer!.appData,
      dataConsumer: pipeDataConsumer!.appData
    }
  })
  assert.equal(plain, { producer: true, dataProducer: true, consumer: {}, dataConsumer: {} })
  assert.equal(mocked, plain)
})

test('a pipe Producer gets the appData that the original has when it is piped', async () => {
  const [plain, mocked] = await both(async mediasoup => {
    const near = await openRouter(mediasoup)
    const far = await openRouter(mediasoup)
    const producer = await (await near.router.createDirectTransport()).produce({
      ...audio(),
      appData: { name: 'old' }
    })
    producer.appData = { name: 'new' }
    const { pipeProducer } = await near.router.pipeToRouter({
      producerId: producer.id,
      router: far.router
    })
    return [pipeProducer!.appData, pipeProducer!.appData === producer.appData]
  })
  assert.equal(plain, [{ name: 'new' }, true])
  assert.equal(mocked, plain)
})

test('a new object is announced once, before the call that creates it is done', async () => {
  const mediasoup = await mock()
  const heard: unknown[] = []
  const hear = (object: unknown) => {
    heard.push(object)
  }
  /** Whether it was announced, and is the one that the call gives. */
  const announced = async (creating: Promise<unknown>) => {
    const object = await creating
    assert.is(heard.length, 1)
    assert.is(heard.pop(), object)
  }

  mediasoup.observer.on('newworker', hear)
  const creating = mediasoup.createWorker()
  await announced(creating)
  const worker = await creating
  worker.observer.on('newrouter', hear)
  const routing = worker.createRouter({ mediaCodecs: [opus] })
  await announced(routing)
  const router = await routing
  router.observer.on('newtransport', hear)
  router.observer.on('newrtpobserver', hear)
  await announced(router.createActiveSpeakerObserver())
  const transporting = router.createDirectTransport()
  await announced(transporting)
  const transport = await transporting
  for (const event of ['newproducer', 'newconsumer', 'newdataproducer', 'newdataconsumer'] as const)
    transport.observer.on(event, hear)
  const producing = transport.produce(audio())
  await announced(producing)
  await announced(
    transport.consume({ producerId: (await producing).id, rtpCapabilities: router.rtpCapabilities })
  )
  const producingData = transport.produceData()
  await announced(producingData)
  await announced(transport.consumeData({ dataProducerId: (await producingData).id }))
})

test('getters give copies: whoever changes them changes nothing', async () => {
  const { worker, router } = await openRouter(await mock())
  const webRtcTransport = await router.createWebRtcTransport({
    listenInfos: [{ protocol: 'udp', ip: '127.0.0.1' }],
    enableSctp: true
  })
  const transport = await router.createDirectTransport()
  const producer = await transport.produce(audio())
  const consumer = await transport.consume({
    producerId: producer.id,
    rtpCapabilities: router.rtpCapabilities
  })
  assert.ok(worker.pid)

  const cases: [read: () => object, change: (value: never) => void][] = [
    [
      () => router.rtpCapabilities,
      (value: ms.RouterRtpCapabilities) => {
        value.codecs!.length = 0
      }
    ],
    [
      () => webRtcTransport.iceCandidates,
      (value: ms.IceCandidate[]) => {
        value[0]!.ip = 'mine'
      }
    ],
    [
      () => webRtcTransport.dtlsParameters,
      (value: ms.DtlsParameters) => {
        value.fingerprints = []
      }
    ],
    [
      () => webRtcTransport.sctpParameters!,
      (value: ms.SctpParameters) => {
        value.port = 7
      }
    ],
    [
      () => producer.rtpParameters,
      (value: ms.RtpParameters) => {
        value.codecs = []
      }
    ],
    [
      () => producer.consumableRtpParameters,
      (value: ms.RtpParameters) => {
        value.codecs = []
      }
    ],
    [
      () => consumer.rtpParameters,
      (value: ms.RtpParameters) => {
        value.encodings![0]!.ssrc = 7
      }
    ],
    [
      () => consumer.score,
      (value: ms.ConsumerScore) => {
        value.score = -1
      }
    ]
  ]
  for (const [read, change] of cases) {
    const before = structuredClone(read())
    change(read() as never)
    assert.equal(read(), before, String(read))
  }
  assert.ok(router.canConsume({ producerId: producer.id, rtpCapabilities: router.rtpCapabilities }))
})

test('options are left as the caller gave them', async () => {
  const { router } = await openRouter(await mock({ announcedAddress: '203.0.113.7' }))
  const options: ms.WebRtcTransportOptions = {
    listenInfos: [{ protocol: 'udp', ip: '0.0.0.0' }],
    appData: { a: 1 }
  }
  const copy = structuredClone(options)
  await router.createWebRtcTransport(options)
  assert.equal(options, copy)
})

test('close() has closed everything below when it returns', async () => {
  const { worker, router } = await openRouter(await mock())
  const transport = await router.createDirectTransport()
  const producer = await transport.produce(audio())
  const consumer = await transport.consume({
    producerId: producer.id,
    rtpCapabilities: router.rtpCapabilities
  })
  worker.close()
  for (const object of [worker, router, transport, producer, consumer])
    assert.ok(object.closed, object.constructor.name)
})

test('canConsume() answers on the spot: for what is there, what is not, and what is nonsense', async () => {
  const [plain, mocked] = await both(async mediasoup => {
    const { router } = await openRouter(mediasoup, [opus, vp8])
    const transport = await router.createDirectTransport()
    const producer = await transport.produce(audio())
    const { rtpCapabilities } = router
    const video = {
      ...rtpCapabilities,
      codecs: rtpCapabilities.codecs!.filter(({ kind }) => kind === 'video')
    }
    const producerId = producer.id
    const answers = [
      router.canConsume({ producerId, rtpCapabilities }),
      router.canConsume({ producerId, rtpCapabilities: video }),
      router.canConsume({ producerId, rtpCapabilities: { codecs: [] } }),
      router.canConsume({ producerId, rtpCapabilities: {} }),
      router.canConsume({ producerId, rtpCapabilities: { codecs: 7 } as never }),
      router.canConsume({ producerId: 'nobody', rtpCapabilities })
    ]
    producer.close()
    return [...answers, router.canConsume({ producerId, rtpCapabilities })]
  })
  assert.equal(plain, [true, false, false, false, false, false, false])
  assert.equal(mocked, plain)
})

test('updateMediaCodecs() is done when it returns, here and then on the host', async () => {
  const [plain, mocked] = await both(async mediasoup => {
    const { router } = await openRouter(mediasoup)
    router.updateMediaCodecs([vp8])
    const { rtpCapabilities } = router
    const transport = await router.createDirectTransport()
    return [
      rtpCapabilities,
      router.rtpCapabilities,
      await errorOf(() => transport.produce(audio()))
    ]
  })
  assert.match(JSON.stringify(plain), 'video/VP8')
  assert.match(plain[2] as string, 'UnsupportedError')
  assert.equal(mocked, plain)
})

test('updateMediaCodecs() throws what plain mediasoup throws, and changes nothing', async () => {
  const [plain, mocked] = await both(async mediasoup => {
    const { router } = await openRouter(mediasoup)
    const before = router.rtpCapabilities
    const thrown = []
    for (const codecs of [
      'all',
      7,
      [{}],
      [{ ...opus, mimeType: 'audio/nothing' }],
      [{ ...opus, clockRate: '48000' }]
    ]) {
      thrown.push(await errorOf(() => router.updateMediaCodecs(codecs as never)))
    }
    assert.equal(router.rtpCapabilities, before)
    return thrown
  })
  assert.is(plain.length, 5)
  assert.ok(plain.every(Boolean))
  assert.equal(mocked, plain)
})

/** What a call throws or rejects with, or undefined. Ids are never the same. */
async function errorOf(call: () => unknown): Promise<string | undefined> {
  try {
    await call()
  } catch (error) {
    return `${(error as Error).name}: ${(error as Error).message.replaceAll(/[0-9a-f-]{36}/g, '<id>').replaceAll(/\d+/g, 'N')}`
  }
  return undefined
}

const classOf = (error: string | undefined) => error?.split(':')[0]

test('what is called after close() fails with the class of error that plain mediasoup has', async () => {
  const [plain, mocked] = await both(async mediasoup => {
    const { worker, router } = await openRouter(mediasoup)
    const listenInfo = { protocol: 'udp', ip: '127.0.0.1' } as const
    const webRtcServer = await worker.createWebRtcServer({ listenInfos: [listenInfo] })
    const transport = await router.createDirectTransport()
    const producer = await transport.produce(audio())
    const dataProducer = await transport.produceData()
    const consumer = await transport.consume({
      producerId: producer.id,
      rtpCapabilities: router.rtpCapabilities
    })
    const dataConsumer = await transport.consumeData({ dataProducerId: dataProducer.id })
    const rtpObserver = await router.createActiveSpeakerObserver()
    const other = await worker.createRouter({ mediaCodecs: [opus] })
    const calls: [what: string, call: () => unknown][] = [
      ['Consumer.pause', () => consumer.pause()],
      ['Consumer.dump', () => consumer.dump()],
      ['Consumer.setPreferredLayers', () => consumer.setPreferredLayers({ spatialLayer: 1 })],
      ['Consumer.requestKeyFrame', () => consumer.requestKeyFrame()],
      ['DataConsumer.getStats', () => dataConsumer.getStats()],
      ['DataConsumer.send', () => dataConsumer.send('hello')],
      ['DataConsumer.setSubchannels', () => dataConsumer.setSubchannels([1])],
      ['Producer.resume', () => producer.resume()],
      ['Producer.enableTraceEvent', () => producer.enableTraceEvent(['rtp'])],
      ['Producer.send', () => producer.send(rtp(1))],
      ['Producer.send nonsense', () => producer.send('packet' as never)],
      ['DataProducer.send', () => dataProducer.send('hello')],
      ['DataProducer.send nonsense', () => dataProducer.send(7 as never)],
      ['DataProducer.pause', () => dataProducer.pause()],
      ['Transport.sendRtcp', () => transport.sendRtcp(rtp(1))],
      ['Transport.getStats', () => transport.getStats()],
      ['Transport.produce', () => transport.produce(audio(7))],
      ['Transport.produce nonsense', () => transport.produce({} as never)],
      [
        'Transport.consume',
        () =>
          transport.consume({ producerId: producer.id, rtpCapabilities: router.rtpCapabilities })
      ],
      ['Transport.consumeData', () => transport.consumeData({ dataProducerId: dataProducer.id })],
      ['RtpObserver.pause', () => rtpObserver.pause()],
      ['RtpObserver.addProducer', () => rtpObserver.addProducer({ producerId: producer.id })],
      ['Router.dump', () => router.dump()],
      ['Router.createPlainTransport', () => router.createPlainTransport({ listenInfo })],
      ['Router.createWebRtcTransport', () => router.createWebRtcTransport({ webRtcServer })],
      [
        'Router.pipeToRouter',
        () => router.pipeToRouter({ producerId: producer.id, router: other })
      ],
      ['Router.updateMediaCodecs', () => router.updateMediaCodecs([vp8])],
      [
        'Router.canConsume',
        () =>
          router.canConsume({ producerId: producer.id, rtpCapabilities: router.rtpCapabilities })
      ],
      ['WebRtcServer.dump', () => webRtcServer.dump()],
      ['Worker.dump', () => worker.dump()],
      ['Worker.getResourceUsage', () => worker.getResourceUsage()],
      ['Worker.updateSettings', () => worker.updateSettings({ logLevel: 'warn' })],
      ['Worker.createRouter', () => worker.createRouter()],
      ['Worker.createWebRtcServer', () => worker.createWebRtcServer({ listenInfos: [listenInfo] })]
    ]
    const errors: string[] = []
    // Closed one after the other, from below; after each, all calls are made.
    for (const object of [
      consumer,
      dataConsumer,
      producer,
      dataProducer,
      rtpObserver,
      transport,
      webRtcServer,
      router,
      worker
    ]) {
      object.close()
      for (const [what, call] of calls) {
        if (what === 'Worker.createRouter' && !worker.closed) continue
        errors.push(`${object.constructor.name} closed, ${what}: ${classOf(await errorOf(call))}`)
      }
    }
    return errors
  })
  assert.ok(
    plain.some(line => line.includes('NotFoundError')) &&
      plain.some(line => line.includes('WorkerClosedError'))
  )
  assert.equal(mocked, plain)
})

test('setLogEventListeners() hears of what goes wrong, in the words of mediasoup, until it is called without', async () => {
  const [plain, mocked] = await both(async mediasoup => {
    const { router } = await openRouter(mediasoup)
    const heard: string[] = []
    const debugged: string[] = []
    mediasoup.setLogEventListeners({
      ondebug: (namespace, log) => debugged.push(`${namespace} ${log}`),
      onwarn: (namespace, log) => heard.push(`warn ${namespace} ${log}`),
      onerror: (namespace, log) => heard.push(`error ${namespace} ${log}`)
    })
    router.canConsume({ producerId: 'nobody', rtpCapabilities: {} })
    router.observer.on('close', () =>
      router.canConsume({ producerId: 'nobody else', rtpCapabilities: {} })
    )
    router.close()
    assert.ok(debugged.some(line => line.startsWith('mediasoup:Router close()')))
    mediasoup.setLogEventListeners()
    router.canConsume({ producerId: 'silence', rtpCapabilities: {} })
    return heard
  })
  assert.equal(
    plain,
    ['nobody', 'nobody else'].map(
      id => `error mediasoup:ERROR:Router canConsume() | Producer with id "${id}" not found`
    )
  )
  assert.equal(mocked, plain)
})

test('a listener that throws is logged as by plain mediasoup, and harms nobody', async () => {
  const [plain, mocked] = await both(async mediasoup => {
    const { worker, router } = await openRouter(mediasoup)
    const heard: string[] = []
    mediasoup.setLogEventListeners({
      onerror: (namespace, log, error) => heard.push(`${namespace} ${log} ${error?.message}`)
    })
    router.on('workerclose', () => {
      throw new Error('mine')
    })
    worker.close()
    mediasoup.setLogEventListeners()
    assert.ok(worker.closed && router.closed)
    return heard
  })
  assert.is(plain.length, 1)
  assert.equal(mocked, plain)
})

test('an object is a reference in JSON: short, and the same wherever it is mentioned', async () => {
  const { worker, router } = await openRouter(await mock())
  const json = JSON.stringify(router)
  assert.match(json, /^\{"\$":"[^/"]+\/\d+"\}$/)
  assert.is(
    JSON.stringify({ worker, router }),
    `{"worker":${JSON.stringify(worker)},"router":${json}}`
  )
  assert.is.not(JSON.stringify(worker), json)
})

/** The types of all that is in a value. */
function typesOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(typesOf)
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(
      Object.entries(value)
        .map(([key, item]) => [key, typesOf(item)])
        .toSorted()
    )
  return value === null ? 'null' : typeof value
}

test('trace events have the types of plain mediasoup, also where JSON has none', async () => {
  const [plain, mocked] = await both(async mediasoup => {
    const { router } = await openRouter(mediasoup)
    const transport = await router.createDirectTransport()
    const producer = await transport.produce(audio())
    const consumer = await transport.consume({
      producerId: producer.id,
      rtpCapabilities: router.rtpCapabilities
    })
    const traces: Record<string, unknown> = {}
    const emitters: Record<string, EventEmitter> = {
      producer,
      consumer,
      'producer observer': producer.observer,
      'consumer observer': consumer.observer
    }
    for (const [name, emitter] of Object.entries(emitters))
      emitter.on('trace', trace => {
        traces[name] = trace
      })
    await producer.enableTraceEvent(['rtp'])
    await consumer.enableTraceEvent(['rtp'])
    let sequence = 0
    await until(() => {
      producer.send(rtp(++sequence))
      return Object.keys(traces).length === 4
    })
    return typesOf(traces)
  })
  assert.match(JSON.stringify(plain), '"bigint"')
  assert.equal(mocked, plain)
})

test('the objects have the names of classes that plain mediasoup has', async () => {
  const [plain, mocked] = await both(async mediasoup => {
    const { worker, router } = await openRouter(mediasoup)
    return [
      worker,
      router,
      await router.createDirectTransport(),
      await router.createActiveSpeakerObserver()
    ].map(({ constructor }) => constructor.name)
  })
  assert.equal(mocked, plain)
})

test('version, capabilities and functions are those of the host', async () => {
  const mediasoup: RemoteMediasoup = await mock()
  assert.is(mediasoup.version, localMediasoup.version)
  assert.is(mediasoup.workerBin, localMediasoup.workerBin)
  assert.equal(
    mediasoup.getSupportedRtpCapabilities(),
    localMediasoup.getSupportedRtpCapabilities()
  )
  mediasoup.getSupportedRtpCapabilities().codecs!.length = 0
  assert.equal(
    mediasoup.getSupportedRtpCapabilities(),
    localMediasoup.getSupportedRtpCapabilities()
  )
  assert.equal(mediasoup.parseScalabilityMode('L3T2'), localMediasoup.parseScalabilityMode('L3T2'))
  assert.is(mediasoup.errors.NotFoundError, localMediasoup.errors.NotFoundError)
  const ofCommonJs = ['__esModule', 'module.exports']
  assert.equal(
    Object.keys(localMediasoup)
      .filter(name => !(name in mediasoup))
      .toSorted(),
    ofCommonJs
  )
})

test('arguments that no message can hold are refused, and nothing is left pending', async () => {
  const mediasoup = await mock()
  const worker = await mediasoup.createWorker()
  const cycle: Record<string, unknown> = {}
  cycle.itself = cycle
  const refused = async (mediaCodecs: unknown) =>
    worker.createRouter({ mediaCodecs } as ms.RouterOptions).then(
      () => undefined,
      (error: Error) => error.name
    )
  assert.is(await refused(cycle), 'TypeError')
  assert.is(await refused([{ clockRate: 1n }]), 'TypeError')
  assert.ok(await worker.createRouter())
})

test.run()
