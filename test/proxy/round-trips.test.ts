// How many round trips to tiers below a call of an application takes: exact counts, which never
// rise. Opening a session on a host is not among them.

import * as localMediasoup from 'mediasoup'
import type * as ms from 'mediasoup/types'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { client } from '../../client/index.ts'
import { describeError } from '../../lib/errors.ts'
import { peekHeader } from '../../lib/frame-header.ts'
import { type OpenOptions, type Tier, channel } from '../../lib/tier.ts'
import { encodeFailure, unknownMethod } from '../../lib/wire.ts'
import { horizontal, vertical } from '../../proxy/index.ts'
import { leaf } from '../../server/index.ts'
import { afterTest, audio, cleanUp, opus, rejection, until } from '../helper.ts'
import { Flights } from '../kit/flights.ts'

cleanUp(test)

const SCATTER = { policy: 'scatter' } as const

/** A cluster that has been told what its tiers have. */
async function clusterOf(tiers: Tier[]) {
  const cluster = horizontal(tiers, SCATTER)
  afterTest(() => cluster.close())
  const up = new Set<Tier>()
  cluster.on('up', tier => up.add(tier))
  await until(() => up.size === tiers.length && cluster.load.capacity > 0)
  return cluster
}

async function use(tier: Tier) {
  const mediasoup = await client(tier)
  afterTest(() => mediasoup.close())
  return mediasoup
}

/** A Router that spans Workers of far tiers, and transports that are each on the next of them. */
async function spanning(tier: Tier, count: number, workers = count) {
  const mediasoup = await use(vertical(tier, { ...SCATTER, maxWorkers: workers }))
  const router = await (await mediasoup.createWorker()).createRouter({ mediaCodecs: [opus] })
  const transports: ms.DirectTransport[] = []
  for (let i = 0; i < count; i++) transports.push(await router.createDirectTransport())
  return {
    mediasoup,
    router,
    transports: transports as [ms.DirectTransport, ...ms.DirectTransport[]]
  }
}

const farLeaves = (flights: Flights, count: number) =>
  Array.from({ length: count }, () => flights.away(leaf(localMediasoup)))

/** Regions: each spans a leaf that is near. */
async function farRegions(flights: Flights) {
  const regions = []
  for (let i = 0; i < 2; i++)
    regions.push(
      flights.away(vertical(await clusterOf([leaf(localMediasoup)]), { ...SCATTER, maxWorkers: 1 }))
    )
  return regions
}

const consume = (router: ms.Router, transport: ms.DirectTransport, { id }: ms.Producer) =>
  transport.consume({ producerId: id, rtpCapabilities: router.rtpCapabilities })

/** What an application does between two hosts, and how many round trips each takes. */
async function countAcross(flights: Flights, tier: Tier) {
  const { router, transports } = await spanning(tier, 2)
  const [near, far] = transports as [ms.DirectTransport, ms.DirectTransport]
  const producers: ms.Producer[] = []
  for (let i = 0; i < 3; i++) producers.push(await near.produce(audio(1000 + i)))
  const [one, two, three] = producers as [ms.Producer, ms.Producer, ms.Producer]
  const data = await near.produceData()
  // Observers are placed as transports are: the second one is on the other host.
  await router.createAudioLevelObserver()
  const observer = await router.createAudioLevelObserver()
  return {
    first: await flights.during(() => consume(router, far, one)),
    same: await flights.during(() => consume(router, far, one)),
    further: await flights.during(() => consume(router, far, two)),
    data: await flights.during(() => far.consumeData({ dataProducerId: data.id })),
    observed: await flights.during(() => observer.addProducer({ producerId: three.id }))
  }
}

test('a Consumer on another host takes two round trips, its own among them, whatever is between the hosts already', async () => {
  const flights = new Flights()
  const counts = await countAcross(flights, await clusterOf(farLeaves(flights, 2)))
  assert.equal(counts, { first: 2, same: 1, further: 2, data: 2, observed: 2 })
})

test('so it does where regions are far', async () => {
  const flights = new Flights()
  const counts = await countAcross(flights, await clusterOf(await farRegions(flights)))
  assert.equal(counts, { first: 2, same: 1, further: 2, data: 2, observed: 2 })
})

test('a Consumer on another Worker of a host takes as many', async () => {
  const flights = new Flights()
  const counts = await countAcross(flights, farLeaves(flights, 1)[0]!)
  assert.equal(counts, { first: 2, same: 1, further: 2, data: 2, observed: 2 })
})

test('when all Workers of another host want a Producer at once, the last one has it after three round trips', async () => {
  const flights = new Flights()
  const cluster = await clusterOf(farLeaves(flights, 2))
  const { mediasoup, router, transports } = await spanning(cluster, 4)
  const places = await Promise.all(
    transports.map(transport => mediasoup.connection.locate(transport))
  )
  const away = transports.filter((_, i) => places[i]!.node !== places[0]!.node)
  assert.is(away.length, 2)
  const hear = async (ssrc: number) => {
    const producer = await transports[0].produce(audio(ssrc))
    return flights.during(() =>
      Promise.all(away.map(transport => consume(router, transport, producer)))
    )
  }
  assert.equal([await hear(1), await hear(2)], [3, 3])
})

/** A leaf of a version before tier.openPipe. */
function older(tier: Tier): Tier {
  return Object.assign(Object.create(tier) as Tier, {
    async open(options?: OpenOptions) {
      const link = await tier.open(options)
      const [near, theirs] = channel()
      near.on('frame', (frame, head) => {
        const { id, method } = head ?? peekHeader(frame)!
        if (method !== 'tier.openPipe') return link.send(frame, head)
        near.send(encodeFailure(id!, describeError(unknownMethod(method))))
      })
      link.on('frame', (frame, head) => near.send(frame, head))
      near.on('close', () => link.close())
      return theirs
    }
  })
}

test('with a leaf that is older than tier.openPipe, pipes take more round trips', async () => {
  const flights = new Flights()
  const [one, other] = [leaf(localMediasoup), older(leaf(localMediasoup))]
  const counts = await countAcross(
    flights,
    await clusterOf([flights.away(one), flights.away(other)])
  )
  assert.equal(counts, { first: 5, same: 1, further: 3, data: 3, observed: 3 })
})

test('pipeToRouter() between hosts takes two', async () => {
  const flights = new Flights()
  const mediasoup = await use(await clusterOf(farLeaves(flights, 2)))
  const workers = [await mediasoup.createWorker(), await mediasoup.createWorker()] as const
  const [near, far, other] = await Promise.all(
    [workers[0], workers[1], workers[1]].map(worker => worker.createRouter({ mediaCodecs: [opus] }))
  )
  const transport = await near!.createDirectTransport()
  const [one, two] = [await transport.produce(audio(1)), await transport.produce(audio(2))]
  const pipe = ({ id }: ms.Producer) =>
    flights.during(() => near!.pipeToRouter({ producerId: id, router: far! }))
  // As on plain mediasoup, the ends are connected when what is on them is heard of.
  const remotePorts: unknown[] = []
  near!.observer.on('newtransport', end =>
    end.observer.on('newconsumer', () =>
      remotePorts.push((end as ms.PipeTransport).tuple.remotePort)
    )
  )
  assert.equal([await pipe(one), await pipe(two)], [2, 2])
  assert.equal(remotePorts.map(Number.isInteger), [true, true])
  const made: unknown[] = []
  for (const router of [near!, other!]) router.observer.on('newtransport', end => made.push(end))
  const unknown = near!.pipeToRouter({ producerId: 'no such', router: other! })
  assert.match((await rejection(unknown)).message, /^Producer not found$/)
  assert.equal(made, [])
})

test('a Router that grows to another host for a transport, and the first Consumer there, take this many', async () => {
  const flights = new Flights()
  const { router, transports } = await spanning(await clusterOf(farLeaves(flights, 2)), 1, 2)
  const producer = await transports[0].produce(audio())
  const grown = await flights.during(async () =>
    consume(router, await router.createDirectTransport(), producer)
  )
  assert.is(grown, 5)
})

test('all of a room hear somebody who joins after this many', async () => {
  const flights = new Flights()
  const { router, transports } = await spanning(await clusterOf(farLeaves(flights, 2)), 6, 2)
  const producers = await Promise.all(
    transports.map((transport, i) => transport.produce(audio(1000 + i)))
  )
  const hearAll = (transport: ms.DirectTransport) =>
    Promise.all(producers.map(producer => consume(router, transport, producer)))
  await Promise.all(transports.map(hearAll))
  const joined = await flights.during(async () => {
    const transport = await router.createDirectTransport()
    const [producer] = await Promise.all([transport.produce(audio(9)), hearAll(transport)])
    await Promise.all(transports.map(other => consume(router, other, producer)))
  })
  assert.is(joined, 4)
})

test.run()
