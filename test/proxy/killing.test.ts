// A room in the middle of which Workers and hosts are killed.

import { readFileSync } from 'node:fs'
import type * as ms from 'mediasoup/types'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { client, connect, remote } from '../../client/index.ts'
import type { Load } from '../../lib/load.ts'
import type { Tier } from '../../lib/tier.ts'
import { horizontal, vertical } from '../../proxy/index.ts'
import { afterTest, audio, cleanUp, isAlive, opus, rtp, startLeaf, until } from '../helper.ts'

cleanUp(test)

const PARTICIPANTS = 20
const HEARS = 4
const HOSTS = 3
const WORKERS = 2 * HOSTS
const PACKET_INTERVAL_MS = 20
const EVERYONE = Array.from({ length: PARTICIPANTS }, (_, index) => index)

type Leaf = Awaited<ReturnType<typeof startLeaf>>

/**
 * Three hosts, each with two Workers that one Router spans, and what each host says of its load.
 */
async function startTree() {
  const leaves = await Promise.all(Array.from({ length: HOSTS }, () => startLeaf()))
  const cluster = horizontal(
    leaves.map(({ url }) => remote(url)),
    { policy: 'scatter' }
  )
  afterTest(() => cluster.close())
  const up = new Set<Tier>()
  cluster.on('up', tier => up.add(tier))
  await until(() => up.size === HOSTS)
  const mediasoup = await client(
    vertical(cluster, { policy: 'scatter', maxWorkers: WORKERS, linger: 100 })
  )
  afterTest(() => mediasoup.close())
  const worker = await mediasoup.createWorker()
  const room = new Room(await worker.createRouter({ mediaCodecs: [opus] }))
  const observers = await Promise.all(leaves.map(({ url }) => connect(url, { reconnect: false })))
  for (const observer of observers) afterTest(() => observer.close())
  const hosts = leaves.map((leaf, i) => ({
    ...leaf,
    load: () => observers[i]!.connection.getLoad()
  }))
  return { hosts: hosts as [Host, Host, Host], worker, room }
}

type Host = Leaf & { load(): Promise<Load> }

/** The pids of the workers of a leaf. */
const workersOf = ({ child: { pid } }: Leaf): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)

/** A participant who is there. */
interface Seat {
  index: number
  upstream: ms.DirectTransport
  downstream: ms.DirectTransport
  producer: ms.Producer
  /** Whom it hears, by their indices. */
  heard: Map<number, { consumer: ms.Consumer; packets: number; events: string[] }>
  events: string[]
}

/** A room in a circle: all speak, and each hears the next ones. */
class Room {
  readonly router: ms.Router
  readonly seats = new Set<Seat>()
  /** Of those that consumed again what is still produced. */
  readonly errors: Error[] = []
  /** How many transports. */
  lost = 0
  #sequence = 0

  constructor(router: ms.Router) {
    this.router = router
    const timer = setInterval(() => this.#speak(), PACKET_INTERVAL_MS)
    afterTest(() => clearInterval(timer))
  }

  get transports() {
    return [...this.seats].flatMap(({ upstream, downstream }) => [upstream, downstream])
  }

  async join(index: number) {
    const transports: ms.DirectTransport[] = []
    try {
      while (transports.length < 2) transports.push(await this.router.createDirectTransport())
      // Workers get transports in turn: so each has some of both.
      const [upstream, downstream] = (index % 2 ? transports : transports.toReversed()) as [
        ms.DirectTransport,
        ms.DirectTransport
      ]
      await this.#sit({
        index,
        upstream,
        downstream,
        producer: await upstream.produce(audio(ssrcOf(index))),
        heard: new Map(),
        events: []
      })
    } catch (error) {
      for (const transport of transports) transport.close()
      for (const seat of this.seats) if (seat.index === index) this.leave(seat)
      throw error
    }
  }

  leave(seat: Seat) {
    this.seats.delete(seat)
    seat.upstream.close()
    seat.downstream.close()
  }

  /** Those who are not there, or only in part, come again. */
  async rejoin() {
    for (const seat of this.seats) if (!this.#isWhole(seat)) this.leave(seat)
    const there = new Set([...this.seats].map(({ index }) => index))
    await Promise.all(EVERYONE.filter(index => !there.has(index)).map(index => this.join(index)))
  }

  /** Everyone who can hear hears everyone who can be heard, from now on. */
  async goesOn() {
    const able = [...this.seats].filter(({ downstream }) => !downstream.closed)
    for (const { heard } of able) for (const each of heard.values()) each.packets = 0
    await until(() => {
      for (const error of this.errors) throw error
      return able.every(seat =>
        this.heardBy(seat).every(
          ({ producer, index }) => producer.closed || seat.heard.get(index)!.packets > 10
        )
      )
    })
  }

  heardBy(seat: Seat) {
    return [...this.seats].filter(other => isNext(seat, other))
  }

  #isWhole(seat: Seat) {
    return (
      !seat.upstream.closed &&
      !seat.downstream.closed &&
      this.heardBy(seat).every(({ index }) => seat.heard.get(index)?.consumer.closed === false)
    )
  }

  async #sit(seat: Seat) {
    const { upstream, downstream, producer, events } = seat
    for (const transport of [upstream, downstream])
      transport.on('routerclose', () => {
        events.push('routerclose')
        this.lost++
      })
    producer.on('transportclose', () => events.push('transportclose'))
    this.seats.add(seat)
    await Promise.all(
      [...this.seats].flatMap(other => [
        isNext(seat, other) ? this.#hear(seat, other) : undefined,
        isNext(other, seat) ? this.#hear(other, seat) : undefined
      ])
    )
  }

  async #hear(seat: Seat, other: Seat) {
    const consumer = await seat.downstream.consume({
      producerId: other.producer.id,
      rtpCapabilities: this.router.rtpCapabilities
    })
    const heard = { consumer, packets: 0, events: seat.heard.get(other.index)?.events ?? [] }
    seat.heard.set(other.index, heard)
    consumer.on('rtp', () => heard.packets++)
    consumer.on('transportclose', () => heard.events.push('transportclose'))
    consumer.on('producerclose', () => {
      heard.events.push('producerclose')
      // It came through what is gone, as its Producer is not.
      if (!other.producer.closed)
        this.#hear(seat, other).catch(error => {
          if (this.seats.has(seat) && this.seats.has(other)) this.errors.push(error)
        })
    })
  }

  #speak() {
    const sequence = this.#sequence++
    for (const { producer, index } of this.seats) {
      if (!producer.closed) producer.send(rtp(sequence, { ssrc: ssrcOf(index) }))
    }
  }
}

const ssrcOf = (index: number) => 1000 + index

function isNext(seat: Seat, { index }: Seat) {
  const distance = (index - seat.index + PARTICIPANTS) % PARTICIPANTS
  return distance > 0 && distance <= HEARS
}

/** What happened is what happens when the Router closes for those on it, and for nobody else. */
async function isAsDocumented({ room, worker }: { room: Room; worker: ms.Worker }) {
  for (const seat of room.seats) {
    const { upstream, downstream, producer, events } = seat
    const expected = [
      ...(upstream.closed ? ['routerclose', 'transportclose'] : []),
      ...(downstream.closed ? ['routerclose'] : [])
    ]
    assert.equal(events.toSorted(), expected.toSorted())
    assert.is(producer.closed, upstream.closed)
    for (const other of room.heardBy(seat)) {
      const { consumer, events } = seat.heard.get(other.index)!
      assert.is(consumer.closed, downstream.closed || other.upstream.closed)
      if (consumer.closed)
        assert.is(events.at(-1), downstream.closed ? 'transportclose' : 'producerclose')
    }
  }
  assert.not(worker.died || worker.closed || room.router.closed)
  const open = room.transports.filter(({ closed }) => !closed).map(({ id }) => id)
  assert.equal((await room.router.dump()).transportIds.toSorted(), open.toSorted())
}

/** All leave, and the Worker is closed: nothing is left on the hosts. */
async function isCleanAfterwards({
  hosts,
  room,
  worker
}: {
  hosts: Host[]
  room: Room
  worker: ms.Worker
}) {
  const sums = async (key: 'workers' | 'routers' | 'consumers') =>
    (await Promise.all(hosts.map(({ load }) => load()))).reduce(
      (total, load) => total + load[key],
      0
    )
  for (const seat of room.seats) room.leave(seat)
  await until(async () => (await sums('consumers')) === 0)
  worker.close()
  await until(async () => (await sums('workers')) === 0)
  assert.is(await sums('routers'), 0)
  // A host counts a Worker until it is closed, and its process ends a moment later.
  await until(() => hosts.every(host => workersOf(host).length === 0))
  await until(() => worker.subprocessClosed)
}

test('a room goes on when a Worker dies, and when a host does', async () => {
  const tree = await startTree()
  const { hosts, room } = tree
  for (const index of EVERYONE) await room.join(index)
  await room.goesOn()

  for (const worker of workersOf(hosts[1]).toReversed()) {
    process.kill(worker, 'SIGKILL')
    await until(() => room.transports.some(({ closed }) => closed))
    await room.goesOn()
    await isAsDocumented(tree)
    await room.rejoin()
    await room.goesOn()
  }

  // The Router was created on the first.
  const [dead, ...left] = hosts
  const workers = workersOf(dead)
  dead.child.kill('SIGKILL')
  await until(() => room.transports.some(({ closed }) => closed))
  await room.goesOn()
  await isAsDocumented(tree)
  await room.rejoin()
  await room.goesOn()
  assert.is(room.transports.length, 2 * PARTICIPANTS)
  assert.ok(room.transports.every(({ closed }) => !closed))

  await isCleanAfterwards({ ...tree, hosts: left })
  await until(() => !workers.some(isAlive))
})

test('when Workers and a host die in the middle of joins, each succeeds or fails, and can be tried again', async () => {
  const tree = await startTree()
  const {
    hosts: [one, two, three],
    room
  } = tree
  // Until there is a Worker on each.
  for (const index of EVERYONE.slice(0, WORKERS)) await room.join(index)
  let pending = PARTICIPANTS - WORKERS
  for (const index of EVERYONE.slice(WORKERS))
    room
      .join(index)
      .catch(() => {})
      .finally(() => pending--)
  await until(() => room.seats.size > WORKERS)

  process.kill(workersOf(three)[0]!, 'SIGKILL')
  const lost = await until(() => room.lost)
  two.child.kill('SIGKILL')
  await until(() => room.lost > lost)
  await until(() => pending === 0)

  await room.rejoin()
  room.errors.length = 0
  await room.goesOn()
  assert.is(room.seats.size, PARTICIPANTS)
  await isCleanAfterwards({ ...tree, hosts: [one, three] })
})

test.run()
