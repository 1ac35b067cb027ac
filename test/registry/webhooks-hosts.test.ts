// What hosts do is told once, whoever sees it: by one of the registries, in its order, and what
// happened while they changed over, too.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { conditionOf } from '../../registry/events/condition.ts'
import { HostStates, type HostCondition } from '../../registry/events/host-states.ts'
import {
  type EventData,
  type EventType,
  type WantedEvent,
  publisher
} from '../../registry/events/publish.ts'
import type { Store, StoreOptions } from '../../registry/store/store.ts'
import { MemoryStore } from '../../registry/store/memory-store.ts'
import { openRedisStore } from '../../registry/store/redis-store.ts'
import { afterTest, cleanUp, until } from '../helper.ts'
import { startRedis } from '../kit/redis.ts'

cleanUp(test)

const LEASE_MS = 300
const host = { id: 'media-1', url: 'wss://media-1:4000', labels: { region: 'eu' } }

/** What registries have in common. */
interface Fleet {
  /** For each registry its own. */
  open(options?: StoreOptions): Promise<Store>
  reader: Store
}

const stores: Record<string, () => Promise<Fleet>> = {
  async memory() {
    const store = new MemoryStore()
    afterTest(() => store.close())
    return { open: async () => store, reader: store }
  },
  async redis() {
    const redis = await startRedis()
    afterTest(() => redis.end())
    const open = async (options?: StoreOptions) => {
      const store = await openRedisStore(redis.url, options)
      afterTest(() => store.close())
      return store
    }
    return { open, reader: await open() }
  }
}

/** A registry that watches hosts. */
async function watch(
  fleet: Fleet,
  registry: string,
  condition: () => HostCondition = () => 'up',
  wanted?: () => WantedEvent
) {
  const store = await fleet.open()
  const states = new HostStates({
    store,
    registry,
    publish: publisher(store, registry),
    conditionOf: condition,
    wanted,
    log: { info() {}, warn() {} },
    lease: LEASE_MS
  })
  afterTest(() => states.close())
  return states
}

interface Told {
  type: string
  source: string
  data: Record<string, unknown>
}

/** Takes all events from the store, as they come. */
function collect({ reader }: Fleet): Told[] {
  const told: Told[] = []
  const ended = new AbortController()
  const reading = (async () => {
    for await (const event of reader.events('reader', 60_000, ended.signal)) {
      told.push(JSON.parse(event.body) as Told)
      await reader.settle(event)
    }
  })()
  afterTest(async () => {
    ended.abort()
    await reading
  })
  return told
}

const typesOf = (told: Told[]) => told.map(({ type }) => type.replace('mafalda.', ''))

for (const [name, open] of Object.entries(stores)) {
  test(`${name}: of two registries that see a host come and go, one tells it, once and in order`, async () => {
    const fleet = await open()
    const told = collect(fleet)
    await watch(fleet, 'registry-1')
    await watch(fleet, 'registry-2')
    for (let i = 0; i < 3; i++) {
      await fleet.reader.register(host, 60_000)
      await until(() => told.length === 2 * i + 1)
      await fleet.reader.hold(host.id, 'registry-1', 60_000)
      await fleet.reader.release(host.id, 'registry-1')
      await until(() => told.length === 2 * i + 2)
    }
    // The last one after all that could come twice.
    await fleet.reader.register({ ...host, id: 'media-2' }, 60_000)
    await until(() => told.some(({ data }) => data.host === 'media-2'))
    const expected = [
      'host.up',
      'host.down',
      'host.up',
      'host.down',
      'host.up',
      'host.down',
      'host.up'
    ]
    assert.equal(typesOf(told), expected)
    assert.equal(told[0]!.data, { host: host.id, url: host.url, labels: host.labels })
    assert.equal(told[1]!.data, { host: host.id })
  })

  test(`${name}: what happens while no registry tells is told by the next one`, async () => {
    const fleet = await open()
    const told = collect(fleet)
    const first = await watch(fleet, 'registry-1')
    await fleet.reader.register(host, 60_000)
    await fleet.reader.register({ ...host, id: 'media-2' }, 60_000)
    await until(() => told.length === 2)
    await first.close()
    await fleet.reader.unregister(host.id)
    await fleet.reader.register({ ...host, id: 'media-3' }, 60_000)
    await watch(fleet, 'registry-2')
    await until(() => told.length === 4)
    await fleet.reader.register({ ...host, id: 'media-4' }, 60_000)
    await until(() => told.length === 5)
    const afterwards = told.slice(2).map(({ type, data, source }) => [type, data.host, source])
    assert.equal(afterwards.toSorted(), [
      ['mafalda.host.down', 'media-1', 'registry-2'],
      ['mafalda.host.up', 'media-3', 'registry-2'],
      ['mafalda.host.up', 'media-4', 'registry-2']
    ])
  })

  test(`${name}: a host that drains, or gets another URL, is told of; one that is not known is not`, async () => {
    const fleet = await open()
    const told = collect(fleet)
    let condition: HostCondition
    await watch(fleet, 'registry-1', () => condition)
    await fleet.reader.register(host, 60_000)
    const steps = [
      ['up', 'host.up'],
      ['full', 'host.full'],
      ['up', 'host.up'],
      ['draining', 'host.draining']
    ] as const
    for (const [i, [next, expected]] of steps.entries()) {
      condition = next
      await until(() => told.length === i + 1)
      assert.is(typesOf(told).at(-1), expected)
    }
    condition = undefined
    await fleet.reader.register({ ...host, url: 'wss://media-1:4001' }, 60_000)
    await until(() => told.length === steps.length + 1)
    assert.is(typesOf(told).at(-1), 'host.draining')
    assert.is(told.at(-1)!.data.url, 'wss://media-1:4001')
    await fleet.reader.unregister(host.id)
    await until(() => typesOf(told).at(-1) === 'host.down')
    assert.is(told.length, steps.length + 2)
  })

  test(`${name}: how many hosts there should be is told when the number changes, by one registry`, async () => {
    const fleet = await open()
    const told = collect(fleet)
    const wanted = { hosts: 2, now: 1, starting: 0, cores: 3, reason: 'more is needed' }
    await watch(fleet, 'registry-1', undefined, () => ({ ...wanted }))
    await until(() => told.length)
    // It sees another need, and does not tell.
    await watch(fleet, 'registry-2', undefined, () => ({ ...wanted, hosts: 9 }))
    Object.assign(wanted, { now: 2, cores: 0 })
    await fleet.reader.register(host, 60_000)
    await until(() => told.length === 2)
    Object.assign(wanted, { hosts: 3 })
    await until(() => told.length === 3)
    assert.equal(typesOf(told), ['hosts.wanted', 'host.up', 'hosts.wanted'])
    assert.equal(told[0]!.data, { hosts: 2, now: 1, starting: 0, cores: 3, reason: wanted.reason })
    assert.is(told[2]!.data.hosts, 3)
  })

  test(`${name}: what all say of a subject is told once, and again when it has ended`, async () => {
    const fleet = await open()
    const told = collect(fleet)
    const registries = await Promise.all([1, 2, 3].map(() => fleet.open()))
    const say = async <T extends EventType>(type: T, data: EventData[T]) => {
      const all = registries.map(store => publisher(store, 'registry')(type, data))
      return (await Promise.all(all)).filter(Boolean).length
    }
    const place = { room: 'a', host: 'media-1', epoch: 1 }
    const moved = { ...place, host: 'media-2', epoch: 2 }
    const again = { ...moved, epoch: 3 }
    assert.is(await say('room.assigned', place), 1)
    assert.is(await say('room.assigned', place), 0)
    assert.is(await say('room.moved', moved), 1)
    assert.is(await say('room.closed', { room: 'a' }), 1)
    assert.is(await say('room.closed', { room: 'a' }), 0)
    assert.is(await say('room.moved', again), 1)
    const wanted = { hosts: 2, now: 1, starting: 0, cores: 3, reason: 'more is needed' }
    assert.is(await say('hosts.wanted', wanted), 1)
    assert.is(await say('hosts.wanted', { ...wanted, now: 2 }), 0)
    await until(() => told.length === 5)
    const ofRoom = told.filter(({ data }) => data.room === 'a')
    assert.equal(typesOf(ofRoom), ['room.assigned', 'room.moved', 'room.closed', 'room.assigned'])
  })
}

const SHORT_MS = 50

for (const [name, open] of Object.entries({
  memory: async (options: StoreOptions) => new MemoryStore(options),
  redis: async (options: StoreOptions) => (await stores.redis!()).open(options)
}))
  test(`${name}: what was told of a room is forgotten with it`, async () => {
    const store = await open({ epochLife: SHORT_MS, tidyEvery: SHORT_MS })
    if (name === 'memory') afterTest(() => store.close())
    await store.register(host, 60_000)
    // A store that is new gives no places at first.
    await until(() => store.assign('a', [host.id]).catch(() => undefined))
    await publisher(store, 'test')('room.assigned', { room: 'a', host: host.id, epoch: 1 })
    assert.is((await store.told('rooms/')).size, 1)
    await store.unregister(host.id)
    await until(async () => !(await store.told('rooms/')).size)
  })

test('a host is full when all of its cores are used, and has room again when a tenth is free', () => {
  const load = (used: number) => ({ capacity: 8, used })
  for (const [state, used, was, expected] of [
    ['up', 7.9, undefined, 'up'],
    ['up', 7.9, 'up', 'up'],
    ['up', 8, 'up', 'full'],
    ['up', 7.9, 'full', 'full'],
    ['up', 7.1, 'full', 'up'],
    ['draining', 0, 'up', 'draining'],
    ['up', 0, 'draining', 'up'],
    ['lost', 0, 'up', undefined],
    ['down', 0, 'up', undefined],
    [undefined, 0, undefined, undefined]
  ] as const)
    assert.is(conditionOf(state, load(used), was), expected, `${state} ${used} ${was}`)
  assert.is(conditionOf('up', undefined, undefined), 'up')
})

test.run()
