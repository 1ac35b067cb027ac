// Hosts here are network namespaces, with addresses of their own, and wires between them.

import type * as ms from 'mediasoup/types'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type RemoteMediasoup, client, connect, remote } from '../../client/index.ts'
import { horizontal, vertical } from '../../proxy/index.ts'
import { afterTest, audio, cleanUp, opus, until } from '../helper.ts'
import {
  type Host,
  obstacle,
  openEndpoint,
  serveOn,
  startLeaves,
  startNetwork
} from '../kit/network.ts'
import { ask } from '../kit/processes.ts'
import { SECRET } from './secret.ts'

cleanUp(test)

const SSRC = 231
// So few at once that no buffer is too small for them.
const BURST = 25

type Endpoint = Awaited<ReturnType<typeof openEndpoint>>
type Receiver = Awaited<ReturnType<typeof receive>>

const NAMES = ['host1', 'host2', 'host3', 'entry']
type Hosts = [Host, Host, Host, Host]

async function connectTo(url: string): Promise<RemoteMediasoup> {
  const mediasoup = await connect(url)
  afterTest(() => mediasoup.close())
  return mediasoup
}

/** An entry over leaves, whose Routers are on all of them. */
async function startEntry(host: Host, urls: string[]): Promise<string> {
  const { child } = host.start('proxy/entry.ts', host.address, ...urls)
  return (await ask<{ url: string }>(child)).url
}

// As applications do: the host says which of its addresses it is.
const listenInfo = { protocol: 'udp', ip: '0.0.0.0' } as const
const hostOf = ({ tuple }: ms.PlainTransport) => tuple.localAddress

async function receive(
  router: ms.Router,
  transport: ms.PlainTransport,
  producer: ms.Producer,
  endpoint: Endpoint
) {
  await transport.connect({ ip: endpoint.address, port: endpoint.port })
  const consumer = await transport.consume({
    producerId: producer.id,
    rtpCapabilities: router.rtpCapabilities
  })
  const { ssrc } = consumer.rtpParameters.encodings![0]!
  return { consumer, packets: () => endpoint.received[ssrc!] ?? 0 }
}

/**
 * Sends packets from a host into a transport there, and sees all of them arrive at each receiver.
 */
async function transmit(
  count: number,
  from: Endpoint,
  { tuple }: ms.PlainTransport,
  receivers: Receiver[]
) {
  const before = receivers.map(({ packets }) => packets())
  const arrived = () => receivers.map(({ packets }, i) => packets() - before[i]!)
  for (let sent = 0; sent < count; ) {
    from.send({ count: BURST, port: tuple.localPort, ssrc: SSRC, payload: SECRET })
    sent += BURST
    await until(() => arrived().every(packets => packets >= sent))
  }
  assert.equal(
    arrived(),
    receivers.map(() => count)
  )
}

/** Three hosts with a leaf each, and one to enter by. */
async function startThreeLeaves() {
  const { hosts, wiretap } = await startNetwork(NAMES)
  const [one, two, three, edge] = hosts as Hosts
  const leaves = await startLeaves([one, two, three])
  const urls = leaves.map(({ url }) => url)
  return { hosts: [one, two, three] as const, edge, leaves, urls, wiretap }
}

async function spanThreeHosts() {
  const { edge, urls, ...network } = await startThreeLeaves()
  const [one, two, three] = network.hosts
  const worker = await (await connectTo(await startEntry(edge, urls))).createWorker()
  const router = await worker.createRouter({ mediaCodecs: [opus] })
  const endpoints = await Promise.all([one, two, three].map(openEndpoint))

  const source = await router.createPlainTransport({ listenInfo, comedia: true })
  assert.is(hostOf(source), one.address, 'the first host is the first in turn')
  const producer = await source.produce(audio(SSRC))
  const sinks: ms.PlainTransport[] = []
  // Round and round, until there are four on host 2.
  for (let i = 0; i < 10; i++) sinks.push(await router.createPlainTransport({ listenInfo }))
  const consumeOn = (host: Host, count: number) =>
    Promise.all(
      sinks
        .filter(sink => hostOf(sink) === host.address)
        .slice(0, count)
        .map(sink =>
          receive(
            router,
            sink,
            producer,
            endpoints.find(({ address }) => address === host.address)!
          )
        )
    )
  const [onOne, onTwo, onThree] = await Promise.all([
    consumeOn(one, 1),
    consumeOn(two, 4),
    consumeOn(three, 2)
  ])
  assert.equal(
    [onOne, onTwo, onThree].map(({ length }) => length),
    [1, 4, 2]
  )
  const send = (count: number, receivers: Receiver[]) =>
    transmit(count, endpoints[0]!, source, receivers)
  return {
    ...network,
    worker,
    router,
    producer,
    sinks,
    send,
    onOne,
    onTwo,
    onThree,
    endpoints
  }
}

const reason = obstacle()

function inNamespaces(name: string, handler: () => Promise<void>) {
  test(name, reason ? () => console.log(`skipped, because ${reason}: ${name}`) : handler)
}

inNamespaces(
  'RTP into one host comes out on all others, and crosses to each of them once, encrypted',
  async () => {
    const { hosts, wiretap, send, ...on } = await spanThreeHosts()
    const [one, two, three] = hosts

    await send(500, [...on.onOne, ...on.onTwo, ...on.onThree])

    await until(() => [two, three].every(host => wiretap.between(one, host).rtp >= 500))
    assert.equal(wiretap.between(one, two), { rtp: 500, readable: 0 })
    assert.equal(wiretap.between(one, three), { rtp: 500, readable: 0 })
    for (const [from, to] of [
      [two, one],
      [two, three],
      [three, one],
      [three, two]
    ] as const) {
      assert.equal(
        wiretap.between(from, to),
        { rtp: 0, readable: 0 },
        `${from.name} has nothing to tell ${to.name}`
      )
    }
  }
)

inNamespaces('when a host loses its leaf, the others go on', async () => {
  const {
    hosts: [one, two, three],
    leaves,
    worker,
    router,
    producer,
    sinks,
    send,
    onOne,
    onTwo,
    onThree,
    endpoints
  } = await spanThreeHosts()
  await send(50, [...onOne, ...onTwo, ...onThree])
  const closed: string[] = []
  for (const sink of sinks) sink.on('routerclose', () => closed.push(hostOf(sink)))

  leaves[2]!.child.kill('SIGKILL')

  const lost = sinks.filter(sink => hostOf(sink) === three.address)
  await until(() => closed.length >= lost.length)
  await send(100, [...onOne, ...onTwo])
  assert.equal(
    closed,
    lost.map(() => three.address)
  )
  assert.ok(onThree.every(({ consumer }) => consumer.closed))
  assert.not(worker.closed || router.closed || producer.closed)

  const again = await router.createPlainTransport({ listenInfo })
  const endpoint = endpoints.find(({ address }) => address === hostOf(again))
  assert.ok(
    endpoint && [one.address, two.address].includes(endpoint.address),
    'a new transport goes to a host that is left'
  )
  await send(100, [...onOne, ...onTwo, await receive(router, again, producer, endpoint)])
})

inNamespaces(
  'mafalda serve --vertical over hosts tells their addresses, and receivers may be anywhere',
  async () => {
    const { hosts, edge, urls, wiretap } = await startThreeLeaves()
    const [one, two, three] = hosts
    const entry = await serveOn(edge, '--vertical', ...urls)
    const worker = await (await connectTo(entry.url)).createWorker()
    const router = await worker.createRouter({ mediaCodecs: [opus] })
    const source = await router.createPlainTransport({ listenInfo, comedia: true })
    const sink = await router.createPlainTransport({ listenInfo })
    const home = [one, two, three].find(({ address }) => address === hostOf(source))!
    assert.is(hostOf(sink), home.address, 'a small Router stays on one host')
    const elsewhere = home === one ? two : one
    const producer = await source.produce(audio(SSRC))
    const [sender, receiver] = [await openEndpoint(home), await openEndpoint(elsewhere)]

    await transmit(100, sender, source, [await receive(router, sink, producer, receiver)])

    // Plain RTP, as this receiver asked for. It also proves that the wiretap hears what can be
    // heard.
    await until(() => wiretap.between(home, elsewhere).rtp >= 100)
    assert.equal(wiretap.between(home, elsewhere), { rtp: 100, readable: 100 })
  }
)

inNamespaces(
  'a tree over regions carries RTP between them, encrypted, whatever is inside of a region',
  async () => {
    const { hosts, edge, urls, wiretap } = await startThreeLeaves()
    // One region spans two hosts, the other is a host.
    const region = await startEntry(edge, urls.slice(0, 2))
    const regions = horizontal([remote(region), remote(urls[2]!)], { policy: 'scatter' })
    afterTest(() => regions.close())
    let up = 0
    regions.on('up', () => up++)
    await until(() => up === 2)
    const mediasoup = await client(vertical(regions, { policy: 'scatter', maxWorkers: 2 }))
    afterTest(() => mediasoup.close())
    const router = await (await mediasoup.createWorker()).createRouter({ mediaCodecs: [opus] })

    const source = await router.createPlainTransport({ listenInfo, comedia: true })
    const endpoints = await Promise.all(hosts.map(openEndpoint))
    const producer = await source.produce(audio(SSRC))
    const sinks = [
      await router.createPlainTransport({ listenInfo }),
      await router.createPlainTransport({ listenInfo })
    ]
    const at = (sink: ms.PlainTransport) =>
      endpoints.find(({ address }) => address === hostOf(sink))!
    const receivers = await Promise.all(
      sinks.map(sink => receive(router, sink, producer, at(sink)))
    )
    await transmit(100, at(source), source, receivers)
    for (const from of hosts) {
      for (const to of hosts) if (from !== to) assert.is(wiretap.between(from, to).readable, 0)
    }
  }
)

test.run()
