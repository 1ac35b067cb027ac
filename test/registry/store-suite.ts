// What each store does, in memory or in Redis.

import { setTimeout as setTimeoutPromise } from 'node:timers/promises'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Host, HostChange, Hosts } from '../../registry/host.ts'
import type { Store, StoreOptions, StoredEvent } from '../../registry/store/store.ts'
import { slowness, until } from '../kit/until.ts'

/** How many rooms are raced for, by three registries at once. */
const RACES = Number(process.env.STORE_RACES ?? 1_500)
const LONG = 60_000
const SHORT = 300

/** Where registries that share a store get one, each its own. */
export type OpenStore = (options?: StoreOptions) => Promise<Store>

const hostOf = (id: string, labels?: Record<string, string>) => ({
  id,
  url: `ws://${id}:4000`,
  labels
})

/** What hosts say, as `+id` and `-id`. */
export function listen(hosts: Hosts) {
  const ended = new AbortController()
  const told: string[] = []
  const changes: HostChange[] = []
  const done = (async () => {
    for await (const change of hosts.changes(ended.signal)) {
      changes.push(change)
      told.push('gone' in change ? `-${change.gone}` : `+${change.host.id}`)
    }
  })()
  return {
    told,
    changes,
    end: () => {
      ended.abort()
      return done
    }
  }
}

/** Reads events as one reader, and keeps them. */
function read(store: Store, reader: string, patience: number) {
  const ended = new AbortController()
  const events: StoredEvent[] = []
  const done = (async () => {
    for await (const event of store.events(reader, patience, ended.signal)) events.push(event)
  })()
  return {
    events,
    bodies: () => events.map(({ body }) => body),
    end: () => {
      ended.abort()
      return done
    }
  }
}

/**
 * @param open opens a store that is empty, as often as a test asks for registries that share it
 */
export function storeSuite(
  name: string,
  begin: () => Promise<{ open: OpenStore; end(): unknown }>
) {
  const test = suite<{ open: OpenStore; end(): unknown; stores: Store[] }>(name)

  test.before.each(async context => {
    const begun = await begin()
    context.stores = []
    context.end = begun.end
    context.open = async options => {
      const store = await begun.open(options)
      context.stores.push(store)
      return store
    }
  })
  test.after.each(async ({ stores, end }) => {
    for (const store of stores) await store.close()
    await end()
  })

  test('hosts that are there are told first, each once, and then what changes', async ({
    open
  }) => {
    const [one, other] = [await open(), await open()]
    await one.register(hostOf('a'), LONG)
    await one.register(hostOf('b'), LONG)
    await until(() => lists(other, 2))
    const { told, changes, end } = listen(other)
    await until(() => told.length === 2)
    assert.equal(told.toSorted(), ['+a', '+b'])
    await one.register(hostOf('a'), LONG) // says nothing new
    await one.register(hostOf('b', { zone: '1', region: 'eu' }), LONG)
    await until(() => told.length === 3)
    await one.register(hostOf('b', { region: 'eu', zone: '1' }), LONG)
    await one.unregister('a')
    await one.unregister('a')
    await until(() => told.length === 4)
    await one.register(hostOf('a'), LONG)
    await until(() => told.length === 5)
    assert.equal(told.slice(2), ['+b', '-a', '+a'])
    assert.equal(changes[2], { host: hostOf('b', { region: 'eu', zone: '1' }) })
    await end()
  })

  test('a host whose lease is over is gone', async ({ open }) => {
    const store = await open()
    const { told, end } = listen(store)
    await store.register(hostOf('a'), SHORT)
    await store.register(hostOf('b'), LONG)
    await until(() => told.includes('-a'))
    assert.equal(told.toSorted(), ['+a', '+b', '-a'])
    await end()
  })

  test('a host that a registry holds is there without a lease, until the last one releases it', async ({
    open
  }) => {
    const [one, other] = [await open(), await open()]
    const { told, end } = listen(other)
    await one.register(hostOf('a'), SHORT)
    await one.hold('a', 'first', LONG)
    await other.hold('a', 'second', LONG)
    await one.register(hostOf('b'), SHORT)
    await until(async () => !(await one.assign('where b is', ['b'])))
    assert.not(told.includes('-a'))
    await one.release('a', 'first')
    await one.release('a', 'first')
    await one.release('a', 'a third')
    assert.equal((await one.assign('room', ['a']))?.host, 'a')
    await other.release('a', 'second')
    await until(() => told.includes('-a'))
    assert.is(await one.place('room'), undefined)
    await end()
  })

  test('a host is gone when the last registry releases it, however long its lease is', async ({
    open
  }) => {
    const store = await open()
    await store.register(hostOf('a'), LONG)
    await store.hold('a', 'first', LONG)
    await store.release('a', 'first')
    assert.is(await store.assign('room', ['a']), undefined)
  })

  test('a registry that has died holds nothing for longer than it said', async ({ open }) => {
    const store = await open()
    const { told, end } = listen(store)
    await store.register(hostOf('a'), SHORT)
    await store.hold('a', 'dead', SHORT)
    await until(() => told.includes('-a'))
    await end()
  })

  test('a room is where it was put first, on the first of the candidates that is there', async ({
    open
  }) => {
    const [one, other] = [await open(), await open()]
    await one.register(hostOf('a'), LONG)
    await one.register(hostOf('b'), LONG)
    assert.is(await one.place('room'), undefined)
    assert.is(await one.assign('room', ['gone']), undefined)
    assert.is(await one.assign('room', []), undefined)
    const first = { room: 'room', host: 'a', epoch: 1, isNew: true }
    assert.equal(await one.assign('room', ['gone', 'a', 'b']), first)
    assert.equal(await other.assign('room', ['b']), { ...first, isNew: false })
    assert.equal(await other.place('room'), { room: 'room', host: 'a', epoch: 1 })
  })

  test('rooms have any name', async ({ open }) => {
    const store = await open()
    await store.register(hostOf('a'), LONG)
    const names = ['with a space', 'ü/ß?&', 'two\nlines', '5', '日本', ':', '-']
    for (const name of names) await store.assign(name, ['a'])
    for (const name of names)
      assert.equal(await store.place(name), { room: name, host: 'a', epoch: 1 })
    assert.equal((await all(store.places())).map(({ room }) => room).toSorted(), names.toSorted())
  })

  test('the room of a host that is gone gets another one, and a greater epoch', async ({
    open
  }) => {
    const store = await open()
    await store.register(hostOf('a'), LONG)
    await store.register(hostOf('b'), LONG)
    await store.assign('room', ['a'])
    await store.unregister('a')
    assert.is(await store.place('room'), undefined)
    assert.equal(await all(store.places()), [])
    assert.equal(await store.assign('room', ['a', 'b']), {
      room: 'room',
      host: 'b',
      epoch: 2,
      isNew: true
    })
  })

  test('a room that was removed and is made again has a greater epoch', async ({ open }) => {
    const store = await open()
    await store.register(hostOf('a'), LONG)
    await store.assign('room', ['a'])
    assert.equal(await store.remove('room'), { room: 'room', host: 'a', epoch: 1 })
    assert.is(await store.remove('room'), undefined)
    assert.is(await store.remove('never made'), undefined)
    assert.is(await store.place('room'), undefined)
    assert.equal(await all(store.places()), [])
    assert.is((await store.assign('room', ['a']))?.epoch, 2)
  })

  test('the epochs of rooms that are no more are forgotten after a time', async ({ open }) => {
    const store = await open({ epochLife: SHORT, tidyEvery: SHORT })
    await store.register(hostOf('a'), LONG)
    await store.register(hostOf('b'), LONG)
    const rooms = Array.from({ length: 100 }, (_, index) => `room ${index}`)
    for (const room of rooms) await store.assign(room, ['a'])
    await store.assign('there', ['b'])
    for (const room of rooms.slice(50)) await store.remove(room)
    for (const room of ['room 50', 'there']) await store.tell(`rooms/${room}`, '1 a', 'body')
    await store.unregister('a')
    const isForgotten = async () => {
      const places = [rooms.shift()!, rooms.pop()!].map(room => store.assign(room, ['b']))
      const epochs = (await Promise.all(places)).map(place => place!.epoch)
      await setTimeoutPromise(SHORT)
      return epochs.every(epoch => epoch === 1)
    }
    assert.is(await isForgotten(), false)
    await until(isForgotten)
    assert.is((await store.assign('there', ['a']))?.isNew, false)
    await until(async () => (await store.told('rooms/')).size === 1)
  })

  test('a host puts back the rooms that it has, unless a newer place is known', async ({
    open
  }) => {
    const store = await open()
    await store.register(hostOf('b'), LONG)
    await store.assign('moved', ['b'])
    await store.assign('removed', ['b'])
    await store.remove('removed')
    const rooms = ['lost', 'moved', 'removed'].map(room => ({ room, host: 'a', epoch: 1 }))
    await store.register(hostOf('a'), LONG, rooms)
    assert.equal(await store.place('lost'), { room: 'lost', host: 'a', epoch: 1 })
    assert.equal(await store.place('moved'), { room: 'moved', host: 'b', epoch: 1 })
    assert.is(await store.place('removed'), undefined)
    // Epochs never fall, whatever was lost.
    await store.register(hostOf('a'), LONG, [{ room: 'moved', host: 'a', epoch: 7 }])
    assert.equal(await store.place('moved'), { room: 'moved', host: 'b', epoch: 8 })
  })

  test('thousands of rooms that three registries ask for at once are not split', async ({
    open
  }) => {
    const stores = [await open(), await open(), await open()]
    const hosts = ['a', 'b', 'c', 'd']
    for (const id of hosts) await stores[0]!.register(hostOf(id), LONG)
    for (let begun = 0; begun < RACES; begun += 250) {
      const rooms = Array.from({ length: 250 }, (_, index) => `room ${begun + index}`)
      const answers = await Promise.all(
        rooms.map(room =>
          Promise.all(
            stores.map((store, index) =>
              store.assign(room, [...hosts.slice(index), ...hosts.slice(0, index)])
            )
          )
        )
      )
      for (const places of answers) {
        assert.is(new Set(places.map(place => place!.host)).size, 1)
        assert.is(places.filter(place => place!.isNew).length, 1)
      }
    }
    const counted = new Set((await all(stores[1]!.places())).map(({ room }) => room))
    assert.is(counted.size, Math.ceil(RACES / 250) * 250)
  })

  test('events of one subject come one by one, while those of others go on', async ({ open }) => {
    const [one, other] = [await open(), await open()]
    const first = read(one, 'first', LONG)
    await one.publish('a', '1')
    await until(() => first.events.length === 1)
    await other.publish('a', '2')
    await other.publish('b', '3')
    await other.publish('a', '4')
    const second = read(other, 'second', LONG)
    await until(() => first.events.length + second.events.length === 2)
    const b = [...first.events, ...second.events].find(({ subject }) => subject === 'b')!
    assert.is(b.body, '3')
    await one.settle(first.events[0]!)
    await until(() => first.events.length + second.events.length === 3)
    const last = [...first.events, ...second.events].find(({ body }) => body === '2')!
    assert.ok(last.id > first.events[0]!.id)
    await other.settle(last)
    await until(() => [...first.bodies(), ...second.bodies()].includes('4'))
    await Promise.all([first.end(), second.end()])
  })

  test('an event that its reader has not settled in time goes to another one', async ({ open }) => {
    const [one, other] = [await open(), await open()]
    const dead = read(one, 'dead', SHORT)
    await one.publish('a', '1')
    await until(() => dead.events.length === 1)
    await dead.end()
    const alive = read(other, 'alive', LONG)
    await until(() => alive.events.length === 1)
    assert.equal(alive.events[0], dead.events[0])
    await other.settle(alive.events[0]!)
    await other.publish('a', '2')
    await until(() => alive.events.length === 2)
    assert.equal(alive.bodies(), ['1', '2'])
    await alive.end()
  })

  test('an event that its reader keeps stays with it', async ({ open }) => {
    const [one, other] = [await open(), await open()]
    const patience = SHORT * (await slowness())
    const slow = read(one, 'slow', patience)
    await one.publish('a', '1')
    await until(() => slow.events.length === 1)
    const eager = read(other, 'eager', LONG)
    for (let kept = 0; kept < 8; kept++) {
      await setTimeoutPromise(patience / 4)
      await one.keep('slow', slow.events[0]!)
      await other.keep('eager', slow.events[0]!) // It does not have it.
    }
    assert.equal(eager.events, [])
    await until(() => eager.events.length === 1)
    await Promise.all([slow.end(), eager.end()])
  })

  test('of all who tell the state of a subject, one publishes it', async ({ open }) => {
    const [one, other] = [await open(), await open()]
    const both = await Promise.all([one.tell('a', 'up', '1'), other.tell('a', 'up', '2')])
    assert.equal(both.sort(), [false, true])
    assert.is(await one.tell('b', 'up', '3'), true)
    assert.equal([...(await other.told('a'))], [['a', 'up']])
    assert.is(await other.tell('a', undefined, '4'), true)
    assert.is(await one.tell('a', undefined, '5'), false)
    assert.is((await one.told('')).size, 1)
    const reader = read(one, 'reader', LONG)
    await until(() => reader.events.length === 2) // Of each subject the first.
    for (const event of [...reader.events]) await one.settle(event)
    await until(() => reader.events.length === 3)
    assert.is(reader.bodies()[2], '4')
    await reader.end()
  })

  test('the hosts that are there now can be listed', async ({ open }) => {
    const [one, other] = [await open(), await open()]
    assert.equal(await one.hosts(), [])
    const host: Host = {
      id: 'a',
      url: 'ws://a:1',
      labels: { region: 'eu' },
      owner: 'somebody',
      status: { capacity: 4, used: 1.5, draining: true }
    }
    await one.register(host, LONG)
    assert.equal(await other.hosts(), [host])
  })

  test('one registry at a time does a task', async ({ open }) => {
    const [one, other] = [await open(), await open()]
    assert.is(await one.lead('scale', 'first', SHORT), true)
    assert.is(await other.lead('another', 'second', LONG), true)
    assert.is(await one.lead('scale', 'first', SHORT), true)
    await until(() => other.lead('scale', 'second', LONG))
    assert.is(await one.lead('scale', 'first', LONG), false)
    assert.is(await other.lead('scale', 'second', LONG), true)
  })

  return test
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}

/** Whether so many hosts are known. */
export async function lists(hosts: Hosts, count: number): Promise<boolean> {
  const { told, end } = listen(hosts)
  await setTimeoutPromise(0)
  await end()
  return told.length === count
}
