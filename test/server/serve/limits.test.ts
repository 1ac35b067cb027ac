// Limits: each has an error of its own, ends when its cause ends, and is nobody else's.

import * as localMediasoup from 'mediasoup'
import type * as ms from 'mediasoup/types'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { LimitError, connect, remote } from '../../../client/index.ts'
import { codes } from '../../../lib/errors.ts'
import { type Tier, channel } from '../../../lib/tier.ts'
import { encodeNotification, encodeRequest } from '../../../lib/wire.ts'
import { horizontal, vertical } from '../../../proxy/index.ts'
import { type Limits, leaf, serve } from '../../../server/index.ts'
import { AdmissionLink } from '../../../server/serve/admission.ts'
import { sessionDefaults } from '../../../server/serve/limits.ts'
import { ConnectionCounter, networkOf } from '../../../server/serve/connection-counter.ts'
import {
  afterTest,
  audio,
  cleanUp,
  opus,
  raw,
  rejection,
  run,
  startLeaf,
  until
} from '../../helper.ts'
import { AUDIENCE, secretIssuer } from '../../tokens.ts'

cleanUp(test)

async function open(limits: Partial<Limits>) {
  const server = await serve(leaf(localMediasoup), { limits })
  afterTest(() => server.close())
  return server
}

async function use(url: string, options = {}) {
  const mediasoup = await connect(url, { reconnect: false, ...options })
  afterTest(() => mediasoup.close())
  return mediasoup
}

async function limited(promise: Promise<unknown>, code: number, message: string) {
  const error = await rejection(promise)
  assert.instance(error, LimitError)
  assert.is((error as LimitError).code, code, error.message)
  assert.is(error.message, message)
}

const hello = (id: number) => ({ jsonrpc: '2.0', id, method: 'tier.hello', params: [] })

test('more requests than may come in a second are refused, until time has passed; other sessions do not notice', async () => {
  const { url } = await open({ rate: 10 })
  const peer = await raw(url)
  const begin = performance.now()
  for (let id = 1; id <= 30; id++) peer.send(hello(id))
  await until(() => peer.heard.length === 30)
  const allowed = 10 * (1 + (performance.now() - begin) / 1000)
  const refused = peer.heard.filter(({ error }) => error)
  assert.ok(refused.length >= 30 - allowed - 1 && refused.length <= 20, String(refused.length))
  for (const { error } of refused)
    assert.equal(error, {
      code: codes.rate,
      message: 'a session asks at most 10 times per second',
      data: { name: 'LimitError' }
    })

  const other = await use(url)
  assert.ok(await other.createWorker())
  await until(async () => (await peer.call('tier.hello')).result)
})

test('a session that sends more notifications than it may is read more slowly: all arrive, and other sessions do not notice', async () => {
  const { url } = await open({ rate: 200 })
  const [mediasoup, other] = [await use(url), await use(url)]
  const router = await (await mediasoup.createWorker()).createRouter({ mediaCodecs: [opus] })
  const dataProducer = await (await router.createDirectTransport()).produceData()
  for (let i = 0; i < 600; i++) dataProducer.send(`position ${i}`)
  assert.ok(await other.createWorker())
  const received = async () => (await dataProducer.getStats())[0]!.messagesReceived
  await until(() =>
    received().then(
      messages => messages === 600,
      error => {
        assert.instance(error, LimitError)
      }
    )
  )
})

test('a session that may send nothing ends when it does, with 4429 and the reason', async () => {
  const { url } = await open({ rate: 0 })
  const peer = await raw(url)
  peer.send({ jsonrpc: '2.0', method: 'Consumer.close', params: ['no/1'] })
  assert.equal(await peer.closed, {
    code: 4429,
    reason: 'a session sends at most 0 messages per second'
  })
})

/** A guard that lets frames go nowhere: what it refuses is in `heard`. */
function guarded(limits: Partial<Limits>) {
  const [peer, link] = channel()
  const guard = new AdmissionLink(link, { ...sessionDefaults, ...limits })
  const heard: unknown[] = []
  peer.on('frame', frame => heard.push(JSON.parse(String(frame))))
  let paused = 0
  Object.assign(link, {
    pause: () => {
      paused++
    }
  })
  return {
    peer,
    guard,
    heard,
    get paused() {
      return paused
    }
  }
}

test('notifications in binary frames are counted, too, unless they carry packets or messages', async () => {
  for (const [method, isCounted] of [
    ['Router.updateMediaCodecs', true],
    ['DataProducer.send', false],
    ['Producer.send', false]
  ] as const) {
    const session = guarded({ rate: 5 })
    for (let i = 0; i < 10; i++)
      session.peer.send(encodeNotification(method, ['k3x/1', Buffer.alloc(1)]))
    await new Promise(resolve => setImmediate(resolve))
    assert.is(session.paused > 0, isCounted, method)
    session.guard.close()
  }
})

test('what is never answered does not count for ever', async () => {
  const session = guarded({ inFlight: 1, consumers: 1 })
  const consume = (id: number) =>
    session.peer.send(encodeRequest(id, 'WebRtcTransport.consume', ['k3x/1', {}]))
  consume(1)
  consume(2)
  await until(() => session.heard.length)
  const { now } = performance
  performance.now = () => now.call(performance) + 61_000
  try {
    consume(3)
    consume(4)
    await until(() => session.heard.length === 2)
  } finally {
    performance.now = now
  }
  assert.equal(
    (session.heard as { id: number; error: { code: number } }[]).map(({ id, error }) => [
      id,
      error.code
    ]),
    [
      [2, codes.inFlight],
      [4, codes.inFlight]
    ]
  )
  session.guard.close()
})

test('packets are not counted', async () => {
  const { url } = await open({ rate: 50 })
  const mediasoup = await use(url)
  const router = await (await mediasoup.createWorker()).createRouter({ mediaCodecs: [opus] })
  const dataProducer = await (await router.createDirectTransport()).produceData()
  for (let i = 0; i < 500; i++) dataProducer.send(Buffer.from('message'))
  await until(async () => (await dataProducer.getStats())[0]!.messagesReceived === 500)
})

test('more requests than may be in flight are refused, by their number and by their bytes', async () => {
  const { url } = await open({ inFlight: 2, bytesInFlight: 1000 })
  const peer = await raw(url)
  // A process takes a while to start.
  const create = (id: number, padding = '') =>
    peer.send({ jsonrpc: '2.0', id, method: 'mediasoup.createWorker', params: [{ padding }] })
  for (const id of [1, 2, 3]) create(id)
  await until(() => peer.heard.length === 3)
  assert.equal(peer.heard[0]!.error, {
    code: codes.inFlight,
    message: 'a session waits for at most 2 answers',
    data: { name: 'LimitError' }
  })
  assert.is(peer.heard[0]!.id, 3)

  create(4, 'x'.repeat(500))
  create(5, 'x'.repeat(500))
  await until(() => peer.heard.length === 5)
  assert.equal(peer.heard[3]!.error, {
    code: codes.inFlight,
    message: 'the requests of a session that are not answered have at most 1000 bytes',
    data: { name: 'LimitError' }
  })
  create(6, 'x'.repeat(500))
  assert.ok((await until(() => peer.heard.find(({ id }) => id === 6))).result)
})

test('how deep a message nests is limited, if it is large enough for that to hurt', async () => {
  const { url } = await open({ depth: 5 })
  const peer = await raw(url)
  const padding = 'x'.repeat(8_192)
  assert.is((await peer.call('tier.hello', [[['[[[[[{{{{']]], padding)).error, undefined)
  assert.is((await peer.call('tier.hello', [[[[]]]])).error, undefined)
  assert.equal((await peer.call('tier.hello', [[[[]]]], padding)).error, {
    code: codes.depth,
    message: 'a message nests at most 5 levels deep',
    data: { name: 'LimitError' }
  })
})

const ONE_EACH = {
  workers: 1,
  routers: 1,
  webRtcServers: 1,
  transports: 1,
  producers: 1,
  consumers: 1,
  rtpObservers: 1
}
const listenInfos: ms.TransportListenInfo[] = [{ protocol: 'udp', ip: '127.0.0.1' }]

/** A session that has one object of each group, and what makes another one. */
async function stage(url: string) {
  const mediasoup = await use(url)
  const worker = await mediasoup.createWorker()
  const router = await worker.createRouter({ mediaCodecs: [opus] })
  const webRtcServer = await worker.createWebRtcServer({ listenInfos })
  const transport = await router.createDirectTransport()
  const producer = await transport.produce(audio())
  const consumer = await transport.consume({
    producerId: producer.id,
    rtpCapabilities: router.rtpCapabilities
  })
  const observer = await router.createAudioLevelObserver()
  const another = {
    workers: () => mediasoup.createWorker(),
    routers: () => worker.createRouter({ mediaCodecs: [opus] }),
    webRtcServers: () => worker.createWebRtcServer({ listenInfos }),
    transports: () => router.createWebRtcTransport({ listenInfos }),
    producers: () => transport.produceData(),
    consumers: () =>
      transport.consume({ producerId: producer.id, rtpCapabilities: router.rtpCapabilities }),
    rtpObservers: () => router.createActiveSpeakerObserver()
  }
  return {
    mediasoup,
    worker,
    router,
    webRtcServer,
    transport,
    producer,
    consumer,
    observer,
    another
  }
}

function clusterOf(url: string) {
  const cluster = horizontal([remote(url)])
  afterTest(() => cluster.close())
  return cluster
}

const expressions: [name: string, tier: (url: string) => Tier][] = [
  ['a leaf', () => leaf(localMediasoup)],
  ['an aggregator', url => vertical(clusterOf(url))]
]

for (const [name, tier] of expressions) {
  test(`the objects of a session on ${name} are limited by their kind`, async () => {
    const { url: below } = await startLeaf()
    const server = await serve(tier(below), { limits: ONE_EACH })
    afterTest(() => server.close())
    const session = await stage(server.url)
    for (const [group, create] of Object.entries(session.another)) {
      await limited(create(), codes.objects, `a session has at most 1 ${group}`)
    }
    const other = await stage(server.url)
    other.mediasoup.close()

    // What is closed makes room.
    for (const [object, groups] of [
      [session.consumer, ['consumers']],
      [session.producer, []],
      [session.observer, ['rtpObservers']],
      [session.webRtcServer, ['webRtcServers']],
      [session.transport, ['transports']]
    ] as const) {
      object.close()
      for (const group of groups) {
        const created = await session.another[group]()
        created.close()
      }
    }
  })

  test(`what ends with what it is on makes room on ${name}`, async () => {
    const { url: below } = await startLeaf()
    const server = await serve(tier(below), { limits: ONE_EACH })
    afterTest(() => server.close())
    const { mediasoup, worker, router } = await stage(server.url)
    router.close()
    const again = await worker.createRouter({ mediaCodecs: [opus] })
    const transport = await again.createDirectTransport()
    await transport.produce(audio())
    await again.createAudioLevelObserver()
    worker.close()
    await stageOn(mediasoup)
  })
}

async function stageOn(mediasoup: Awaited<ReturnType<typeof use>>) {
  const worker = await mediasoup.createWorker()
  const router = await worker.createRouter({ mediaCodecs: [opus] })
  await worker.createWebRtcServer({ listenInfos })
  return router.createDirectTransport()
}

test('a WebRtcServer takes its transports with it', async () => {
  const { url } = await open({ transports: 1 })
  const worker = await (await use(url)).createWorker()
  const router = await worker.createRouter({ mediaCodecs: [opus] })
  const webRtcServer = await worker.createWebRtcServer({ listenInfos })
  await router.createWebRtcTransport({ webRtcServer })
  await limited(router.createDirectTransport(), codes.objects, 'a session has at most 1 transports')
  webRtcServer.close()
  await router.createDirectTransport()
})

test('a Worker that dies makes room, and so does a Consumer whose Producer closes', async () => {
  const { url } = await open({ ...ONE_EACH, transports: 2, producers: 1 })
  const { mediasoup, worker, router, transport, producer, another } = await stage(url)
  producer.close()
  const other = await transport.produce(audio())
  await transport.consume({ producerId: other.id, rtpCapabilities: router.rtpCapabilities })
  await limited(another.consumers(), codes.objects, 'a session has at most 1 consumers')
  process.kill(worker.pid, 'SIGKILL')
  await until(() => worker.died)
  await stageOn(mediasoup)
})

test('the pipes of pipeToRouter count', async () => {
  const { url } = await open({ transports: 3 })
  const mediasoup = await use(url)
  const [one, other] = await Promise.all(
    [0, 1].map(async () => (await mediasoup.createWorker()).createRouter({ mediaCodecs: [opus] }))
  )
  const producer = await (await one!.createDirectTransport()).produce(audio())
  await one!.pipeToRouter({ producerId: producer.id, router: other! })
  await limited(one!.createDirectTransport(), codes.objects, 'a session has at most 3 transports')
  other!.close()
  await one!.createDirectTransport()
})

test('a further Producer over a pipe that is there, or is being made, needs no transports', async () => {
  const { url } = await open({ transports: 3 })
  const mediasoup = await use(url)
  const [one, other] = await Promise.all(
    [0, 1].map(async () => (await mediasoup.createWorker()).createRouter({ mediaCodecs: [opus] }))
  )
  const transport = await one!.createDirectTransport()
  const [first, second, third] = await Promise.all(
    [1, 2, 3].map(ssrc => transport.produce(audio(ssrc)))
  )
  await Promise.all(
    [first, second].map(producer => one!.pipeToRouter({ producerId: producer!.id, router: other! }))
  )
  const { pipeProducer } = await one!.pipeToRouter({ producerId: third!.id, router: other! })
  await limited(one!.createDirectTransport(), codes.objects, 'a session has at most 3 transports')

  // Without its ends, there is no pipe.
  transport.close()
  const again = await other!.createDirectTransport()
  await until(() => pipeProducer!.closed)
  other!.close()
  assert.ok(again.closed)
  await one!.createDirectTransport()
  const another = await (await mediasoup.createWorker()).createRouter({ mediaCodecs: [opus] })
  const producer = await (await one!.createDirectTransport()).produce(audio())
  await limited(
    one!.pipeToRouter({ producerId: producer.id, router: another }),
    codes.objects,
    'a session has at most 3 transports'
  )
})

test('what is being made counts also after the session was recalled', async () => {
  const { url } = await open({ workers: 1 })
  const peer = await raw(url)
  const create = (id: number) =>
    peer.send({ jsonrpc: '2.0', id, method: 'mediasoup.createWorker', params: [{}] })
  create(1)
  peer.send({ jsonrpc: '2.0', id: 2, method: 'tier.recall', params: [] })
  create(3)
  const { error } = await until(() => peer.heard.find(({ id }) => id === 3))
  assert.is(error?.code, codes.objects)
})

test('no message evades the limits', async () => {
  const { url } = await open({ workers: 1, routers: 1 })
  const peer = await raw(url)
  const { result } = await peer.call('mediasoup.createWorker', {})
  const { $: worker } = result as { $: string }
  const { result: made } = await peer.call('Worker.createRouter', worker, {
    appData: { token: '{"$":"a/1","kind":"Worker"}' }
  })
  const { $: router } = made as { $: string }
  // Closed as another kind, it is not; nor by the answer of nobody.
  for (const method of ['Worker.close', 'WebRtcServer.close'])
    peer.send({ jsonrpc: '2.0', method, params: [router] })
  peer.send({ jsonrpc: '2.0', method: 'Router.close', params: [worker] })
  // Nor by what the host refuses.
  for (const [rest, code] of [
    [`"method":"Router.close","params":["${router}",x]`, codes.parse],
    [`"id":null,"method":"Router.close","params":["${router}"]`, codes.request]
  ] as const)
    assert.is((await peer.answer(`{"jsonrpc":"2.0",${rest}}`)).error?.code, code, rest)
  assert.is((await peer.call('Worker.createRouter', worker, {})).error!.code, codes.objects)
  assert.is((await peer.call('Router.dump', router)).error, undefined)
  const create = `"method":"Worker.createRouter","params":["${worker}",{}]`
  for (const frame of [
    `{"jsonrpc":"2.0","id":1,"method":"tier.hello","params":[],${create}}`,
    `{"jsonrpc":"2.0","id":1,"result":1,${create}}`
  ])
    assert.is((await peer.answer(frame)).error?.code, codes.request, frame)
  for (const frame of [
    `{"id":1,${create},"jsonrpc":"2.0"}`,
    `{"jsonrpc":"2.0","id":1,"method":"Worker.createRou\\u0074er","params":["${worker}",{}]}`
  ])
    assert.is((await peer.answer(frame)).error?.code, codes.objects, frame)
  assert.is((await peer.answer(`{"jsonrpc":"2.0",${create}}`)).error?.code, codes.request)
  const routers = async () =>
    ((await peer.call('Worker.dump', worker)).result as ms.WorkerDump).routerIds.length
  assert.is(await routers(), 1)
  // What is counted as closed is closed, whatever else is said.
  peer.send({ jsonrpc: '2.0', method: 'Router.close', params: [router, { $: 'nobody/1' }] })
  assert.is(await routers(), 0)
  assert.is((await peer.call('Worker.createRouter', worker, {})).error, undefined)
})

test('a token may lower the limits, and raise none', async () => {
  const { key, issue } = secretIssuer()
  const server = await serve(leaf(localMediasoup), {
    tokens: { secret: key, audience: AUDIENCE },
    limits: { workers: 2 }
  })
  afterTest(() => server.close())
  const few = await use(server.url, { token: await issue({ limits: { workers: 1, routers: 0 } }) })
  const worker = await few.createWorker()
  await limited(few.createWorker(), codes.objects, 'a session has at most 1 workers')
  await limited(worker.createRouter(), codes.objects, 'a session has at most 0 routers')
  const many = await use(server.url, { token: await issue({ limits: { workers: 9 } }) })
  await many.createWorker()
  await many.createWorker()
  await limited(many.createWorker(), codes.objects, 'a session has at most 2 workers')
  for (const limits of [{ rooms: 3 }, { workers: 'all' }, { workers: -1 }, 7]) {
    assert.match(
      (await rejection(use(server.url, { token: await issue({ limits }) }))).message,
      /it answered 401 the limits of the token cannot be kept: /
    )
  }
})

test('more sessions than there may be are refused, in all and of one address; who goes makes room', async () => {
  for (const [limits, why] of [
    [{ sessions: 2 }, '503 this tier has its 2 sessions'],
    [{ sessionsPerAddress: 2 }, '429 one address has at most 2 sessions']
  ] as const) {
    const { url } = await open(limits)
    const first = await use(url)
    await use(url)
    const error = await rejection(use(url))
    assert.is(error.message, `cannot connect to ${url}/: it answered ${why}`)
    first.close()
    await until(() =>
      use(url).then(
        () => true,
        () => false
      )
    )
  }
})

test('a network of IPv6 counts as one address', () => {
  assert.is(networkOf('::ffff:192.0.2.1'), '192.0.2.1')
  assert.is(networkOf('::ffff:7f00:1'), '127.0.0.1')
  assert.is(networkOf('2001:db8:1:2:3:4:5:6'), '2001:db8:1:2')
  assert.is(networkOf('2001:db8:1:2::6'), '2001:db8:1:2')
  assert.is(networkOf('2001:db8::6'), '2001:db8:0:0')
  assert.is(networkOf('fe80::1%eth0'), 'fe80:0:0:0')
  const visitors = new ConnectionCounter({ sessions: 9, sessionsPerAddress: 1 })
  const leave = visitors.add('2001:db8::1')
  assert.is(visitors.refusal('2001:db8::2')?.[0], 429)
  assert.is(visitors.refusal('2001:db8:0:1::1'), undefined)
  leave()
  assert.is(visitors.refusal('2001:db8::2'), undefined)
})

test('what a host below refuses keeps its class', async () => {
  const { url } = await startLeaf(['--limits', 'routers=1'])
  const server = await serve(clusterOf(url))
  afterTest(() => server.close())
  const worker = await (await use(server.url)).createWorker()
  await worker.createRouter()
  await limited(worker.createRouter(), codes.objects, 'a session has at most 1 routers')
})

test('a limit that is none is refused at the start', async () => {
  assert.match(
    (await rejection(serve(leaf(localMediasoup), { limits: { rooms: 1 } as object }))).message,
    /^a limit must be one of sessions, sessionsPerAddress, sessionsPerSubject, rate, .* \(got rooms\)$/
  )
  for (const [value, code, why] of [
    ['rate', 2, 'Limits are like rate=500,workers=4 ("rate" is not).'],
    ['rate=-1', 2, '("rate=-1" is not)'],
    ['rooms=1', 1, 'a limit must be one of']
  ] as const) {
    const { exited, errors } = run(['serve', '--listen', '127.0.0.1:0', '--limits', value])
    assert.is((await exited)[0], code)
    assert.ok(errors.join('\n').includes(why), errors.join('\n'))
  }
})

test.run()
