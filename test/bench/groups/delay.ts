// What a pipe adds to the delay of a packet: a Consumer on another Worker of the host, or on
// another host, against one where its Producer is. Hosts are network namespaces.

import type { ChildProcess } from 'node:child_process'
import * as localMediasoup from 'mediasoup'
import type * as ms from 'mediasoup/types'
import { endAll } from '../../helper.ts'
import { type Host, obstacle, startHosts, startLeaves } from '../../kit/network.ts'
import type { Delays, Order } from '../endpoint.ts'
import { Durations } from '../../kit/durations.ts'
import { type Group, type Row, type Sample, latency, quick, rounds, row } from '../measure.ts'
import { ask, startScript } from '../processes.ts'
import { client, horizontal, leaf, remote, vertical } from '../../kit/product.ts'
import { type Mediasoup, audio, openRoom } from '../../kit/room.ts'

const ROUNDS = 9
const PACKETS = quick ? 20 : 250
const PACKET = { everyMs: 2, bytes: 200 }
// What has not arrived then, is lost.
const SLACK_MS = 100

export const delay: Group = {
  name: 'delay',
  about:
    'from a sender through a Producer and a Consumer to a receiver (µs); the Consumer is where the Producer is, or behind a pipe',

  async run() {
    const rows = await within(
      vertical(leaf(localMediasoup), { policy: 'scatter', maxWorkers: 2 }),
      startEndpoints,
      'one host'
    )
    const reason = obstacle()
    if (!reason) return [...rows, ...(await betweenHosts())]
    console.log(`skipped, because ${reason}: delay between two hosts`)
    return rows
  }
}

/**
 * The receiver is on the second host for both Consumers: what they have in common is not the
 * pipe's.
 */
async function betweenHosts(): Promise<Row[]> {
  try {
    const hosts = startHosts(['one', 'two']) as [Host, Host]
    const leaves = await startLeaves(hosts)
    const cluster = horizontal([], { policy: 'scatter' })
    for (const { url } of leaves) {
      const up = new Promise(resolve => cluster.once('up', resolve))
      cluster.add(remote(url))
      await up
    }
    const endpoints = (await Promise.all(
      hosts.map(async host => {
        const { child } = host.start('bench/endpoint.ts', host.address)
        return { child, address: host.address, port: await ask<number>(child) }
      })
    )) as [Endpoint, Endpoint]
    const rows = await within(
      vertical(cluster, { policy: 'scatter', maxWorkers: 2 }),
      async () => endpoints,
      'two hosts'
    )
    cluster.close()
    return rows
  } finally {
    await endAll()
  }
}

interface Endpoint {
  child: ChildProcess
  address: string
  port: number
}

const startEndpoints = async () =>
  (await Promise.all(
    [1, 2].map(async () => {
      const child = startScript('bench/endpoint', ['127.0.0.1'])
      return { child, address: '127.0.0.1', port: await ask<number>(child) }
    })
  )) as [Endpoint, Endpoint]

async function within(
  tier: Parameters<typeof client>[0],
  start: () => Promise<[Endpoint, Endpoint]>,
  where: string
): Promise<Row[]> {
  const [sender, receiver] = await start()
  const mediasoup = await client(tier)
  const { worker, router, rtpCapabilities } = await openRoom(mediasoup as Mediasoup)
  const listenInfo = {
    protocol: 'udp',
    ip: sender.address === receiver.address ? '127.0.0.1' : '0.0.0.0'
  } as const
  const source = await router.createPlainTransport({ listenInfo, comedia: true })
  const producer = await source.produce(audio())
  // Each transport is on another Worker than the one before.
  const [piped, direct] = [await consume(), await consume()]

  const samples = await rounds(ROUNDS, {
    direct: () => measure(direct),
    piped: () => measure(piped)
  })
  worker.close()
  mediasoup.close()
  const added = samples.piped.map((sample, i) => difference(sample, samples.direct[i]!))
  return [
    row({ what: `${where}: direct`, unit: 'µs', samples: samples.direct }),
    row({
      what: `${where}: through a pipe`,
      unit: 'µs',
      samples: samples.piped,
      to: { direct: samples.direct }
    }),
    row({ what: `${where}: added by the pipe`, unit: 'µs', samples: added })
  ]

  async function consume() {
    const transport = await router.createPlainTransport({ listenInfo })
    await transport.connect({ ip: receiver.address, port: receiver.port })
    const consumer = await transport.consume({
      producerId: producer.id,
      rtpCapabilities,
      paused: true
    })
    return { transport, consumer }
  }

  /** Only this Consumer gets the packets. */
  async function measure({
    transport,
    consumer
  }: {
    transport: ms.PlainTransport
    consumer: ms.Consumer
  }): Promise<Sample> {
    await consumer.resume()
    await ask(receiver.child, { take: true } satisfies Order)
    await ask(sender.child, {
      send: PACKETS,
      ...PACKET,
      address: sender.address,
      port: source.tuple.localPort
    } satisfies Order)
    await new Promise(resolve => setTimeout(resolve, SLACK_MS))
    const delays = await ask<Delays>(receiver.child, { take: true } satisfies Order)
    await consumer.pause()
    const durations = new Durations()
    for (const delay of delays[transport.tuple.localPort] ?? []) durations.add(delay)
    return latency(durations)
  }
}

const difference = (one: Sample, other: Sample): Sample => ({
  value: one.value - other.value,
  p50: one.p50! - other.p50!,
  p99: one.p99! - other.p99!
})
