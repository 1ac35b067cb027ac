// What clients may do with the network of a host: ports, addresses to listen on, and where they
// send. Real Workers, and a real service that must get nothing.

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import * as localMediasoup from 'mediasoup'
import type * as ms from 'mediasoup/types'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type RemoteMediasoup, client } from '../../../client/index.ts'
import { vertical } from '../../../proxy/index.ts'
import { type LeafOptions, leaf } from '../../../server/index.ts'
import { afterTest, audio, cleanUp, mock, opus, rejection, rtp, until } from '../../helper.ts'

cleanUp(test)

const local: ms.TransportListenInfo = { protocol: 'udp', ip: '127.0.0.1' }

async function routerOf(mediasoup: RemoteMediasoup, settings?: ms.WorkerSettings) {
  const worker = await mediasoup.createWorker(settings)
  return worker.createRouter({ mediaCodecs: [opus] })
}

const routerWith = async (options: LeafOptions, settings?: ms.WorkerSettings) =>
  routerOf(await mock(options), settings)

async function refused(promise: Promise<unknown>, words: string | RegExp) {
  const error = await rejection(promise)
  assert.instance(error, TypeError)
  assert.match(error.message, words)
}

/** A service of the host, and the bytes that it got. */
async function service() {
  const socket = createSocket('udp4')
  const got: Buffer[] = []
  socket.on('message', message => got.push(message))
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  afterTest(() => socket.close())
  return { port: socket.address().port, got }
}

// Ports. The range has room for what a test takes, also where others of it are in use.
const rtcPorts = { min: 23_000, max: 23_099 }
const isAllowed = (port: number) => port >= rtcPorts.min && port <= rtcPorts.max

test('without a port of their own, all that clients listen on is in the range of the host', async () => {
  const mediasoup = await mock({ rtcPorts })
  const worker = await mediasoup.createWorker()
  const router = await worker.createRouter()
  const plain = await router.createPlainTransport({
    listenInfo: local,
    rtcpListenInfo: local,
    rtcpMux: false
  })
  const pipe = await router.createPipeTransport({ listenIp: '127.0.0.1' })
  const webRtc = await router.createWebRtcTransport({
    listenInfos: [local, { ...local, protocol: 'tcp' }]
  })
  const server = await worker.createWebRtcServer({ listenInfos: [local] })
  const { udpSockets } = await server.dump()
  const ports = [
    plain.tuple.localPort,
    plain.rtcpTuple!.localPort,
    pipe.tuple.localPort,
    ...webRtc.iceCandidates.map(({ port }) => port),
    ...udpSockets.map(({ port }) => port)
  ]
  assert.is(ports.length, 6)
  assert.ok(ports.every(isAllowed), String(ports))
})

test('shared Workers have the range, too', async () => {
  const router = await routerWith({ rtcPorts, shareWorkers: true, maxWorkers: 1 })
  const { tuple } = await router.createPlainTransport({ listenInfo: local })
  assert.ok(isAllowed(tuple.localPort))
})

test('the ranges of Workers and transports are cut to that of the host', async () => {
  const router = await routerWith({ rtcPorts }, { rtcMinPort: 23_050, rtcMaxPort: 40_000 })
  for (const listenInfo of [local, { ...local, portRange: { min: 2_000, max: 23_020 } }]) {
    const { tuple } = await router.createPlainTransport({ listenInfo })
    assert.ok(isAllowed(tuple.localPort))
    assert.is(tuple.localPort >= 23_050, listenInfo === local)
  }
})

test('a range without a port in common with that of the host is refused, and both are named', async () => {
  const mediasoup = await mock({ rtcPorts })
  await refused(
    mediasoup.createWorker({ rtcMinPort: 40_000, rtcMaxPort: 49_999 }),
    'rtcMinPort to rtcMaxPort 40000-49999 has no port in common with 23000-23099, which the operator of the host allows (--rtc-ports)'
  )
  await refused(mediasoup.createWorker({ rtcMinPort: 40_000 }), '40000-59999')
  await refused(
    (await routerOf(mediasoup)).createPipeTransport({
      listenInfo: { ...local, portRange: { min: 100, max: 200 } }
    }),
    'portRange 100-200 has no port in common with 23000-23099'
  )
})

/** All calls that listen, with a port. */
const listening: Record<string, (router: ms.Router, port: number, worker: ms.Worker) => unknown> = {
  'a WebRtcTransport': (router, port) =>
    router.createWebRtcTransport({ listenInfos: [{ ...local, port }] }),
  'a WebRtcTransport, in the old form': (router, port) =>
    router.createWebRtcTransport({ listenIps: ['127.0.0.1'], port }),
  'a PlainTransport': (router, port) =>
    router.createPlainTransport({ listenInfo: { ...local, port } }),
  'a PlainTransport, in the old form': (router, port) =>
    router.createPlainTransport({ listenIp: '127.0.0.1', port }),
  'the RTCP of a PlainTransport': (router, port) =>
    router.createPlainTransport({ listenInfo: local, rtcpListenInfo: { ...local, port } }),
  'a PipeTransport': (router, port) =>
    router.createPipeTransport({ listenInfo: { ...local, port } }),
  'a WebRtcServer': (_, port, worker) =>
    worker.createWebRtcServer({ listenInfos: [{ ...local, protocol: 'tcp', port }] })
}

for (const [what, listen] of Object.entries(listening)) {
  test(`${what} has no port outside of the range of the host, however it is written`, async () => {
    const mediasoup = await mock({ rtcPorts })
    const worker = await mediasoup.createWorker()
    const router = await worker.createRouter()
    // mediasoup makes 443 of each of the last three.
    for (const port of [443, 22_999, 23_100, '443', [443], 65_536 + 443])
      await refused(
        listen(router, port as number, worker) as Promise<unknown>,
        `port must be from 23000 to 23099, which the operator of the host allows (--rtc-ports): got ${String(port)}`
      )
  })
}

test('without a range, ports are the application’s choice', async () => {
  const router = await routerWith({}, { rtcMinPort: 23_200, rtcMaxPort: 23_299 })
  const { tuple } = await router.createPlainTransport({ listenInfo: local })
  assert.ok(tuple.localPort >= 23_200 && tuple.localPort <= 23_299)
})

test('two sessions have no port in common by udpReusePort, and two transports of one have', async () => {
  const tier = leaf(localMediasoup)
  const [one, other] = [await client(tier), await client(tier)]
  afterTest(() => [one, other].forEach(each => each.close()))
  const [first, second] = [await routerOf(one), await routerOf(other)]
  const { tuple } = await first.createPlainTransport({ listenInfo: local })
  const shared = { ...local, port: tuple.localPort + 1, flags: { udpReusePort: true } }
  const kept = await first.createPlainTransport({ listenInfo: shared, comedia: true })
  await first.createPlainTransport({ listenInfo: shared, comedia: true })
  const theft = () => second.createPlainTransport({ listenInfo: shared, comedia: true })
  await refused(
    theft(),
    `port ${shared.port} is another session's: udpReusePort shares a port between transports of one session`
  )
  await refused(
    second.createPlainTransport({
      listenInfo: { ...shared, port: undefined, portRange: { min: 23_000, max: 23_099 } }
    }),
    'the flag udpReusePort takes a port'
  )
  assert.not(kept.closed)
  one.close()
  // The leaf hears of it after what the other session asks at once.
  await until(() => theft().catch(() => undefined))
})

test('clients listen where the operator lets them', async () => {
  const router = await routerWith({ allowListen: ['127.0.0.0/8'] })
  await router.createPlainTransport({ listenInfo: { ...local, ip: '127.0.0.2' } })
  for (const ip of ['0.0.0.0', '::', '::1'])
    await refused(
      router.createPlainTransport({ listenInfo: { ...local, ip } }),
      `ip must be an address on which the operator of the host lets clients listen (--allow-listen 127.0.0.0/8): got ${ip}`
    )
})

test('"local" is what the host has, and no multicast group', async () => {
  const router = await routerWith({ allowListen: ['local'] })
  for (const ip of ['127.0.0.1', '0.0.0.0'])
    await router.createPlainTransport({ listenInfo: { ...local, ip } })
  for (const ip of ['224.0.0.1', '255.255.255.255', '224.0.0.1\0'])
    await refused(
      router.createPlainTransport({ listenInfo: { ...local, ip } }),
      'ip must be an address on which the operator'
    )
})

/** Addresses that are not public, also in other spellings. */
const NOT_PUBLIC = [
  '127.0.0.1',
  '127.8.9.1',
  '::1',
  '::ffff:127.0.0.1',
  '::127.0.0.1',
  '64:ff9b::127.0.0.1',
  '127.0.0.1\0',
  '10.0.0.1',
  '172.16.0.1',
  '192.168.0.1',
  '100.64.0.1',
  '169.254.169.254',
  'fe80::1',
  'fd00::1',
  'fec0::1',
  '224.0.0.1',
  'ff02::1',
  '255.255.255.255',
  '0.0.0.0',
  '::'
]

const transports: Record<
  string,
  (router: ms.Router, ip: string) => Promise<ms.PlainTransport | ms.PipeTransport>
> = {
  PlainTransport: (router, ip) => router.createPlainTransport({ listenInfo: { ...local, ip } }),
  PipeTransport: (router, ip) => router.createPipeTransport({ listenInfo: { ...local, ip } })
}

for (const [kind, open] of Object.entries(transports)) {
  test(`a ${kind} sends to no address that is not public, where that is denied`, async () => {
    const router = await routerWith({ denyPeer: ['non-public'] })
    for (const ip of NOT_PUBLIC) {
      const transport = await open(router, ip.includes(':') ? '::' : '0.0.0.0')
      await refused(
        transport.connect({ ip, port: 53 }),
        `a ${kind} must not send to ${ip}, which the operator of the host does not allow (--deny-peer, --allow-peer)`
      )
      transport.close()
    }
    for (const ip of ['198.41.0.4', '2001:500:2::c']) {
      const transport = await open(router, ip.includes(':') ? '::' : '0.0.0.0')
      await transport.connect({ ip, port: 9 })
    }
  })
}

/** Sends media from a Router to an address, if that may be. */
async function sendTo(router: ms.Router, ip: string, port: number) {
  const producer = await (await router.createDirectTransport()).produce(audio())
  const transport = await router.createPlainTransport({ listenInfo: local })
  const connected = transport.connect({ ip, port }).then(
    () => undefined,
    (error: Error) => error
  )
  const error = await connected
  const { rtpCapabilities } = router
  await transport.consume({ producerId: producer.id, rtpCapabilities })
  return { error, send: (seq: number) => producer.send(rtp(seq)) }
}

test('a service on the loopback gets nothing, unless it is allowed', async () => {
  const allowed = await service()
  const denied = await service()
  const strict = await routerWith({ denyPeer: ['non-public'] })
  const open = await routerWith({ denyPeer: ['non-public'], allowPeer: ['127.0.0.1'] })
  const stopped = await sendTo(strict, '127.0.0.1', denied.port)
  const passed = await sendTo(open, '127.0.0.1', allowed.port)
  assert.instance(stopped.error, TypeError)
  assert.is(passed.error, undefined)
  for (let i = 0; allowed.got.length < 20; i++) {
    stopped.send(i)
    passed.send(i)
    await new Promise(setImmediate)
  }
  assert.is(denied.got.length, 0)
})

test('a network that is denied takes its place beside one that is allowed', async () => {
  const router = await routerWith({
    denyPeer: ['10.0.0.0/8', 'fd00::/8'],
    allowPeer: ['10.1.0.0/16']
  })
  const connect = async (ip: string) =>
    (await transports.PlainTransport!(router, ip.includes(':') ? '::' : '0.0.0.0')).connect({
      ip,
      port: 9
    })
  for (const ip of ['10.2.0.1', '::ffff:10.2.0.1', 'fd12::1'])
    await refused(connect(ip), `must not send to ${ip}`)
  for (const ip of ['10.1.0.1', '192.168.0.1', '127.0.0.1']) await connect(ip)
})

test('transports of one session send to each other, and not to those of another one', async () => {
  const tier = leaf(localMediasoup, { denyPeer: ['non-public'] })
  const [one, other] = [await client(tier), await client(tier)]
  afterTest(() => [one, other].forEach(each => each.close()))
  const [router, foreign] = [await routerOf(one), await routerOf(other)]
  const open = (router: ms.Router) => router.createPlainTransport({ listenInfo: local })
  const [near, far, strange] = [await open(router), await open(router), await open(foreign)]
  const { localAddress: ip, localPort: port } = far.tuple
  const { localPort: foreignPort } = strange.tuple
  await refused(near.connect({ ip, port: foreignPort }), 'must not send to 127.0.0.1')
  await refused(near.connect({ ip: '127.0.0.2', port }), 'must not send to 127.0.0.2')
  await near.connect({ ip, port })
  const pipe = await router.createPipeTransport({ listenInfo: { ...local, ip: '0.0.0.0' } })
  await (await open(router)).connect({ ip, port: pipe.tuple.localPort })
  far.close()
  await refused((await open(router)).connect({ ip, port }), 'must not send to 127.0.0.1')
})

test('what a transport announces does not make it the session’s own', async () => {
  const router = await routerWith({ denyPeer: ['non-public'] })
  const decoy = await router.createPlainTransport({
    listenInfo: { protocol: 'udp', ip: '127.0.0.2', announcedAddress: '127.0.0.1' }
  })
  const { localPort: port } = decoy.tuple
  const transport = await router.createPlainTransport({ listenInfo: local })
  await refused(transport.connect({ ip: '127.0.0.1', port }), 'must not send to 127.0.0.1')
})

test('the port of RTCP is checked, too', async () => {
  const router = await routerWith({ denyPeer: ['non-public'] })
  const open = () =>
    router.createPlainTransport({ listenInfo: local, rtcpListenInfo: local, rtcpMux: false })
  const [near, far] = [await open(), await open()]
  const [ip, port, rtcpPort] = ['127.0.0.1', far.tuple.localPort, far.rtcpTuple!.localPort]
  await refused(near.connect({ ip, port, rtcpPort: 53 }), 'must not send to 127.0.0.1')
  await near.connect({ ip, port, rtcpPort })
})

test('pipeToRouter() goes on where private addresses are denied, and announces none of them', async () => {
  const mediasoup = await mock({ denyPeer: ['non-public'] })
  const [router, other] = [await routerOf(mediasoup), await routerOf(mediasoup)]
  const { id: producerId } = await (await router.createDirectTransport()).produce(audio())
  await refused(
    router.pipeToRouter({
      producerId,
      router: other,
      listenInfo: { ...local, announcedAddress: '169.254.169.254' }
    }),
    'pipeToRouter() must not send to 169.254.169.254'
  )
  const { pipeProducer } = await router.pipeToRouter({ producerId, router: other })
  assert.is(pipeProducer!.id, producerId)
})

test('a Router that spans Workers of the host goes on where private addresses are denied', async () => {
  const mediasoup = await client(
    vertical(leaf(localMediasoup, { denyPeer: ['non-public'] }), { policy: 'scatter' })
  )
  afterTest(() => mediasoup.close())
  const router = await routerOf(mediasoup)
  const producer = await (await router.createDirectTransport()).produce(audio())
  const { rtpCapabilities } = router
  const consumer = await (await router.createDirectTransport()).consume({
    producerId: producer.id,
    rtpCapabilities
  })
  let got = 0
  consumer.on('rtp', () => got++)
  let seq = 0
  await until(() => {
    producer.send(rtp(seq++))
    return got > 0
  })
})

for (const [options, words] of [
  [{ rtcPorts: { min: 2, max: 1 } }, 'rtcPorts must be from 1 to 65535, min first (got 2-1)'],
  [{ denyPeer: ['10.0.0.0/33'] }, 'denyPeer must be addresses'],
  [{ allowPeer: ['host.example'] }, 'allowPeer must be addresses'],
  [{ allowListen: [''] }, 'allowListen must be addresses'],
  [{ announce: 'always' }, 'takes an announcedAddress']
] satisfies [LeafOptions, string][]) {
  test(`a leaf refuses to start with ${JSON.stringify(options)}`, () => {
    assert.throws(
      () => leaf(localMediasoup, options),
      (error: Error) => error.message.includes(words)
    )
  })
}

test.run()
