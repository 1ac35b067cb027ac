// Redis is killed, stopped, emptied and replaced: what was there stays, and no room is split.

import { setTimeout as setTimeoutPromise } from 'node:timers/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type RedisStoreOptions, openRedisStore } from '../../registry/store/redis-store.ts'
import { type Store, StoreError } from '../../registry/store/store.ts'
import { afterTest, cleanUp, rejection } from '../helper.ts'
import { type Redis, startRedis } from '../kit/redis.ts'
import { until } from '../kit/until.ts'
import { listen } from './store-suite.ts'

cleanUp(test)

const LONG = 60_000
const LEASE = 3_000

const hostOf = (id: string) => ({ id, url: `ws://${id}:4000` })

/** A Redis that gives places at once. */
async function start(): Promise<Redis> {
  const redis = await startRedis()
  afterTest(() => redis.end())
  await redis.send('SET mafalda:generation first')
  return redis
}

async function open({ url }: Redis, options?: RedisStoreOptions): Promise<Store> {
  const store = await openRedisStore(url, options)
  afterTest(() => store.close())
  return store
}

const isAway = async (store: Store) =>
  (await store.place('any').catch((error: unknown) => error)) instanceof StoreError

const isBack = async (store: Store) => !(await isAway(store))

test('a Redis that was killed and comes back has the hosts and the rooms, whatever their leases', async () => {
  const redis = await start()
  const told: string[] = []
  const store = await open(redis, {
    onAway: () => told.push('away'),
    onBack: () => told.push('back')
  })
  const hosts = listen(store)
  await store.register(hostOf('a'), LEASE)
  await store.assign('room', ['a'])
  await redis.kill()
  await until(() => isAway(store))
  assert.instance(await rejection(store.assign('room', ['a'])), StoreError)
  await setTimeoutPromise(1.3 * LEASE) // It would be over.
  await redis.start()
  await until(() => isBack(store))
  assert.equal(await store.place('room'), { room: 'room', host: 'a', epoch: 1 })
  await store.register(hostOf('a'), LONG)
  await store.register(hostOf('b'), LONG)
  await until(() => hosts.told.includes('+b'))
  assert.equal(hosts.told, ['+a', '+b'])
  assert.equal(told, ['back', 'away', 'back'])
  await hosts.end()
})

test('a Redis that is stopped is an error in time, and none of its hosts is gone', async () => {
  const redis = await start()
  const store = await open(redis)
  const hosts = listen(store)
  await store.register(hostOf('a'), LONG)
  await until(() => hosts.told.length === 1)
  redis.stop()
  assert.match((await rejection(store.place('room'))).message, 'did not answer')
  // Nothing is stacked up behind what has no answer.
  assert.match((await rejection(store.place('room'))).message, 'does not answer')
  redis.resume()
  await until(() => isBack(store))
  await store.register(hostOf('b'), LONG)
  await until(() => hosts.told.length === 2)
  assert.equal(hosts.told, ['+a', '+b'])
  await hosts.end()
})

test('a store that is opened while Redis is away has its hosts when it is there', async () => {
  const redis = await start()
  await (await open(redis)).register(hostOf('a'), LONG)
  await redis.kill()
  const store = await open(redis)
  const hosts = listen(store)
  assert.instance(await rejection(store.place('room')), StoreError)
  await redis.start()
  await until(() => hosts.told.length === 1)
  await hosts.end()
})

for (const [what, lose] of [
  ['emptied', (redis: Redis) => redis.empty()],
  ['replaced by an empty one', (redis: Redis) => redis.replace()]
] as const)
  test(`a Redis that is ${what} splits no room, and loses no host`, async () => {
    const redis = await startRedis()
    afterTest(() => redis.end())
    const [one, other, third] = [await open(redis), await open(redis), await open(redis)]
    const hosts = listen(third)
    for (const id of ['a', 'b', 'c']) await one.register(hostOf(id), LONG)
    await until(() => hosts.told.length === 3)
    await until(() => one.assign('first', ['c']).catch(() => undefined))
    const rooms = Array.from({ length: 1_000 }, (_, index) => `room ${index}`)
    for (const room of rooms) await one.assign(room, ['a'])
    await one.unregister('a')
    const moved = rooms.slice(500)
    for (const room of moved) await other.assign(room, ['b'])
    await until(() => hosts.told.length === 4)
    assert.is(await one.lead('scale', 'one', LONG), true)
    assert.is(await one.tell('host/b', 'up', 'body'), true)

    await lose(redis)
    // Who knows none of them asks first, and one that has just come.
    const stranger = await open(redis)
    const asked = moved.map(room =>
      until(() => stranger.assign(room, ['c', 'b']).catch(() => undefined))
    )
    for (const [index, place] of (await Promise.all(asked)).entries())
      assert.equal(place, { room: moved[index], host: 'b', epoch: 2, isNew: false })
    assert.match((await rejection(other.assign('new', ['c']))).message, 'was emptied')
    assert.match((await rejection(stranger.place('new'))).message, 'was emptied')
    const lead = () => stranger.lead('scale', 'stranger', LONG)
    assert.equal(
      await until(() =>
        lead().then(
          leads => [leads],
          () => undefined
        )
      ),
      [false]
    )
    assert.is(await stranger.tell('host/b', 'up', 'body'), false)
    assert.equal(hosts.told.length, 4)
    await hosts.end()
  })

test('a registry that is alone puts back what it knows', async () => {
  const redis = await startRedis()
  afterTest(() => redis.end())
  const store = await open(redis)
  const hosts = listen(store)
  await store.register(hostOf('a'), LONG)
  await until(() => store.assign('room', ['a']).catch(() => undefined))
  await redis.empty()
  assert.equal(await store.place('room'), { room: 'room', host: 'a', epoch: 1 })
  assert.equal(hosts.told, ['+a'])
  await hosts.end()
})

test('after a third of a lease, an emptied store gives new places, with epochs that go on', async () => {
  const redis = await start()
  const [one, other] = [await open(redis), await open(redis)]
  const hosts = listen(other)
  await one.register(hostOf('a'), LEASE)
  await one.assign('room', ['a'])
  await until(() => hosts.told.length === 1)
  await redis.empty()
  await one.register(hostOf('a'), LEASE)
  await one.register(hostOf('b'), LEASE)
  const place = await until(async () => {
    await one.register(hostOf('b'), LEASE)
    return other.assign('new', ['b']).catch(() => undefined)
  })
  assert.equal(place, { room: 'new', host: 'b', epoch: 1, isNew: true })
  await one.unregister('a')
  await one.register(hostOf('b'), LEASE)
  assert.is((await other.assign('room', ['b']))?.epoch, 2)
  assert.equal(hosts.told.toSorted().slice(0, 2), ['+a', '+b'])
  await hosts.end()
})

test('a new store gives places after a moment', async () => {
  const redis = await startRedis()
  afterTest(() => redis.end())
  const store = await open(redis)
  await store.register(hostOf('a'), LONG)
  assert.match((await rejection(store.assign('room', ['a']))).message, 'filled')
  await until(() => store.assign('room', ['a']).catch(() => undefined))
})

test('events that were published before Redis was killed are told after', async () => {
  const redis = await start()
  const store = await open(redis)
  await store.publish('a', '1')
  await redis.kill()
  await until(() => isAway(store))
  const ended = new AbortController()
  const events = store.events('reader', LONG, ended.signal)[Symbol.asyncIterator]()
  const next = events.next()
  await redis.start()
  assert.is((await next).value.body, '1')
  ended.abort()
})

test('the script that Redis has forgotten is sent again', async () => {
  const redis = await start()
  const store = await open(redis)
  await store.register(hostOf('a'), LONG)
  await redis.send('SCRIPT FLUSH')
  assert.is((await store.assign('room', ['a']))?.host, 'a')
})

test.run()
