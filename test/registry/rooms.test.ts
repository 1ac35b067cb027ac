// Rooms of several registries over one store: while hosts, connections and the store come and go.

import * as localMediasoup from 'mediasoup'
import { pino } from 'pino'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type IceServer, remote } from '../../client/index.ts'
import { horizontal } from '../../proxy/index.ts'
import {
  MemoryStore,
  type Place,
  type RegistryOptions,
  type Store,
  StoreError,
  openRegistry
} from '../../registry/index.ts'
import { KnownRooms } from '../../registry/rooms/known.ts'
import { type LeafOptions, leaf, serve } from '../../server/index.ts'
import { afterTest, cleanUp, until } from '../helper.ts'
import { ask } from '../kit/registry.ts'
import { startRelay } from '../relay.ts'

cleanUp(test)

const logger = pino({ level: 'silent' })

async function open(settings: Partial<RegistryOptions> = {}) {
  const cluster = horizontal()
  const registry = openRegistry({ cluster, connect: url => remote(url), ...settings })
  const server = await serve(cluster, { logger, routes: registry.routes })
  afterTest(async () => {
    await server.close()
    cluster.close()
    await registry.close()
  })
  const { url } = server
  return {
    ...registry,
    url,
    put: (room: string, body: object = {}) => ask(url, 'PUT', `/rooms/${room}`, { body }),
    get: (path: string) => ask(url, 'GET', path)
  }
}

async function startHost(options: LeafOptions = {}) {
  const tier = leaf(localMediasoup, options)
  const host = await serve(tier, { logger })
  afterTest(async () => {
    await host.close()
    tier.close()
  })
  return host
}

/** A store that can be taken away. */
function lent(store: Store) {
  const lent = { isAway: false }
  const proxy = new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      const call = value.bind(target) as (...args: unknown[]) => unknown
      return (...args: unknown[]) => {
        if (!lent.isAway || name === 'changes' || name === 'close') return call(...args)
        return name === 'places' ? { [Symbol.asyncIterator]: failing } : failing().next()
      }
    }
  })
  return Object.assign(lent, { store: proxy })
}

const failing = (): AsyncIterator<Place> => ({
  next: () => Promise.reject(new StoreError('it is away'))
})

const app = (id: string) => ({ id, url: `https://${id}.example` })
const LEASE_MS = 600_000

test('a host is given rooms while the registry is connected to it, and at no other time', async () => {
  const { store, put, fleet } = await open()
  const host = await startHost()
  await store.register({ id: 'nowhere', url: 'ws://127.0.0.1:1' }, LEASE_MS)
  await until(() => fleet.stateOf('nowhere') === 'down')
  assert.is((await put('a')).status, 503)
  await store.register({ id: 'here', url: host.url }, LEASE_MS)
  await until(() => fleet.stateOf('here') === 'up')
  assert.is((await put('a')).body.host, 'here')
  await host.close()
  await until(() => fleet.get('here') === undefined)
  const { status, body } = await put('b')
  assert.is(status, 503)
  assert.match(body.detail as string, /no host takes new rooms now \(1 are registered\)/)
})

test('with a room comes what its participants need for the TURN server beside its host', async () => {
  const { store, put, get, fleet } = await open()
  const turn = { urls: ['turn:turn.example'], secret: Buffer.from('secret') }
  const host = await startHost({ turn })
  await store.register({ id: 'one', url: host.url }, LEASE_MS)
  await until(() => fleet.stateOf('one') === 'up')
  const told = [(await put('a')).body, (await get('/rooms/a')).body]
  const [first, second] = told.map(({ iceServers }) => (iceServers as IceServer[])[0]!)
  assert.equal(first!.urls, ['turn:turn.example'])
  assert.is.not(first!.username, second!.username)
})

test('a room whose host is gone gets another one, and its epoch rises by one', async () => {
  const { store, put, fleet } = await open()
  const [one, other] = [await startHost(), await startHost()]
  await store.register({ id: 'one', url: one.url, labels: { region: 'eu' } }, LEASE_MS)
  await store.register({ id: 'other', url: other.url, labels: { region: 'us' } }, LEASE_MS)
  await until(() => fleet.stateOf('one') === 'up' && fleet.stateOf('other') === 'up')
  const { body } = await put('a', { region: 'eu' })
  assert.equal([body.host, body.epoch], ['one', 1])
  await one.close()
  await until(() => fleet.get('one') === undefined)
  const { body: moved } = await put('a', { region: 'eu' })
  assert.equal([moved.host, moved.epoch, moved.region], ['other', 2, 'us'])
  const { status, body: told } = await put('b', { labels: { region: 'eu' } })
  assert.is(status, 503)
  assert.match(told.detail as string, /no host with the labels \{"region":"eu"\}/)
})

test('one registry that has lost a host moves nothing, and gives it no new rooms', async () => {
  const store = new MemoryStore()
  const host = await startHost()
  const relay = await startRelay(host.url)
  afterTest(() => relay.close())
  const near = await open({ store })
  const far = await open({ store, connect: () => remote(relay.url) })
  await store.register({ id: 'one', url: host.url }, LEASE_MS)
  await until(() => [near, far].every(({ fleet }) => fleet.stateOf('one') === 'up'))
  assert.is((await far.put('a')).body.host, 'one')
  await relay.close()
  await until(() => far.fleet.stateOf('one') === 'down')
  assert.equal(await store.hosts().then(hosts => hosts.map(({ id }) => id)), ['one'])
  for (const registry of [near, far]) {
    const { status, body } = await registry.put('a')
    assert.equal([status, body.host, body.epoch], [200, 'one', 1])
  }
  assert.is((await far.put('b')).status, 503)
  assert.is((await near.put('b')).status, 201)
  // The last one that has it loses it.
  await host.close()
  await until(async () => !(await store.hosts()).length)
})

test('all who ask for a room at once are one question, and none who ask after it was deleted', async () => {
  const known = new KnownRooms<Place>()
  const questions: PromiseWithResolvers<Place>[] = []
  const put = () =>
    known.ask('a', () => {
      const question = Promise.withResolvers<Place>()
      questions.push(question)
      return question.promise
    })
  const before = [put(), put(), put()]
  assert.is(questions.length, 1)
  known.delete('a')
  const after = [put(), put()]
  assert.is(questions.length, 2)
  questions[1]!.resolve({ room: 'a', host: 'new', epoch: 2 })
  for (const place of await Promise.all(after)) assert.is(place?.host, 'new')
  questions[0]!.resolve({ room: 'a', host: 'old', epoch: 1 })
  for (const place of await Promise.all(before)) assert.is(place?.host, 'old')
  assert.is(known.get('a')?.host, 'new')
})

test('while the store is away, known rooms are where they were, and new ones are refused', async () => {
  const owned = lent(new MemoryStore())
  const { put, get, fleet, store } = await open({ store: owned.store })
  const host = await startHost()
  await store.register({ id: 'one', url: host.url }, LEASE_MS)
  await until(() => fleet.stateOf('one') === 'up')
  const before = await put('a')
  owned.isAway = true
  const known = await put('a')
  assert.is(known.status, 200)
  assert.equal(known.body, before.body)
  assert.equal((await get('/rooms/a')).body, before.body)
  const unknown = [await put('b'), await get('/rooms/b'), await get('/rooms')]
  for (const { status, headers } of unknown) {
    assert.is(status, 503)
    assert.is(headers['retry-after'], '1')
  }
  for (const path of ['/healthz', '/readyz']) assert.is((await get(path)).status, 200)
  owned.isAway = false
  assert.is((await put('b')).status, 201)
  // A room whose host is gone is no known room.
  owned.isAway = true
  await host.close()
  await until(() => fleet.stateOf('one') !== 'up')
  assert.is((await put('a')).status, 503)
})

test('with available, registries agree on new rooms without the store, and write them later', async () => {
  const memory = new MemoryStore()
  const [one, other] = [lent(memory), lent(memory)]
  const assigned: string[] = []
  const onAssigned = ({ room }: { room: string }) => assigned.push(room)
  const settings = { whenAway: 'available', onAssigned } as const
  const registries = [
    await open({ store: one.store, ...settings }),
    await open({ store: other.store, ...settings })
  ]
  const ids = ['h1', 'h2', 'h3', 'h4', 'h5']
  for (const id of ids) await memory.register(app(id), LEASE_MS)
  await until(() => registries.every(({ fleet }) => [...fleet].length === ids.length))
  one.isAway = other.isAway = true
  const rooms = Array.from({ length: 20 }, (_, i) => `r${i}`)
  const places = new Map<string, unknown>()
  for (const room of rooms) {
    const [here, there] = await Promise.all(registries.map(({ put }) => put(room)))
    assert.is(here!.status, 201)
    assert.is(here!.body.host, there!.body.host)
    assert.is((await registries[0]!.put(room)).body.host, here!.body.host)
    places.set(room, here!.body.host)
  }
  assert.ok(new Set(places.values()).size > 1)
  assert.equal(assigned, [])
  one.isAway = other.isAway = false
  await until(() => assigned.length === rooms.length)
  for (const room of rooms) {
    const place = await memory.place(room)
    assert.equal([place?.host, place?.epoch], [places.get(room), 1])
  }
})

test('a place that was given without the store yields to that of the store', async () => {
  const owned = lent(new MemoryStore())
  const { put, fleet, store } = await open({ store: owned.store, whenAway: 'available' })
  for (const id of ['one', 'two']) await store.register(app(id), LEASE_MS)
  await until(() => [...fleet].length === 2)
  owned.isAway = true
  const { body } = await put('a')
  // Another registry, which knows only the other host.
  const elsewhere = body.host === 'one' ? 'two' : 'one'
  owned.isAway = false
  await store.assign('a', [elsewhere])
  await until(async () => (await put('a')).body.host === elsewhere)
})

test('a room that was deleted by another registry is not answered from what is known', async () => {
  const store = new MemoryStore()
  const registries = [await open({ store }), await open({ store })]
  const [one, other] = registries
  for (const id of ['h1', 'h2']) await store.register(app(id), LEASE_MS)
  await until(() => registries.every(({ fleet }) => [...fleet].length === 2))
  for (let i = 0; i < 20; i++) {
    const answers = [await one!.put('a'), await other!.put('a'), await one!.get('/rooms/a')]
    assert.is(new Set(answers.map(({ body }) => body.host)).size, 1)
    await ask(one!.url, 'DELETE', '/rooms/a')
    assert.is((await other!.get('/rooms/a')).status, 404)
  }
})

test.run()
