// Three registries in processes of their own over one Redis: they never tell two places of a room.

import { Agent, request } from 'node:http'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { afterTest, cleanUp, until } from '../helper.ts'
import { ask, startRegistry } from '../kit/registry.ts'
import { type Redis, startRedis } from '../kit/redis.ts'

cleanUp(test)

/** How many PUTs are raced; 100,000 by RACED_PUTS. */
const PUTS = Number(process.env.RACED_PUTS ?? 3_000)
const REGISTRIES = 3
const HOSTS = 5
// Of the requests that are under way, many are for the same rooms.
const AT_ONCE = 60

async function open(args: readonly string[] = []) {
  const redis = await startRedis()
  afterTest(() => redis.end())
  const registries = await Promise.all(
    Array.from({ length: REGISTRIES }, () => startRegistry(['--store', redis.url, ...args]))
  )
  const urls = registries.map(({ url }) => url)
  await register(urls[0]!)
  // A new Redis gives no places at first: it may be one that was emptied.
  await until(async () => (await ask(urls[0]!, 'PUT', '/rooms/first')).status < 300)
  return { redis, registries, urls }
}

/** Application servers, whose leases outlive the test. */
async function register(url: string) {
  for (let i = 0; i < HOSTS; i++) {
    const path = `/hosts/h${i}`
    const answers = [
      await ask(url, 'PUT', path, { body: { url: `https://h${i}.example` } }),
      await ask(url, 'PUT', `${path}/status`, { body: { capacity: 64, used: 0 } })
    ]
    for (const { status, body } of answers) assert.is(status, 200, JSON.stringify(body))
  }
}

interface Told {
  status: number
  host: string
  epoch: number
}

type Put = (url: string, room: string) => Promise<Told>

/** A PUT on a connection that is kept. One that the server has closed meanwhile is sent again. */
function putter(): Put {
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE })
  afterTest(() => agent.destroy())
  return function put(url: string, room: string): Promise<Told> {
    return new Promise((resolve, reject) => {
      const asked = request(`${url}/rooms/${room}`, { method: 'PUT', agent })
      asked.on('error', error => (asked.reusedSocket ? resolve(put(url, room)) : reject(error)))
      asked.on('response', async response => {
        let text = ''
        for await (const chunk of response) text += chunk
        const { host, epoch } = JSON.parse(text) as Told
        resolve({ status: response.statusCode!, host, epoch })
      })
      asked.end()
    })
  }
}

/** Asks again as long as the answer is Retry-After: Redis may be late on a busy machine. */
async function taken(put: Put, url: string, room: string): Promise<Told> {
  const told = await until(async () => {
    const told = await put(url, room)
    return told.status !== 503 && told
  })
  assert.ok(told.status === 200 || told.status === 201, `${room}: ${told.status}`)
  return told
}

/** Runs so many at a time as there may be. */
async function inParallel(count: number, run: (i: number) => Promise<void>) {
  let next = 0
  const lane = async () => {
    while (next < count) await run(next++)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, lane))
}

test(`${PUTS} raced PUTs over ${REGISTRIES} registries split no room, and moves are told alike`, async () => {
  const { urls } = await open(['--lease', '600'])
  const put = putter()
  await splitNone(urls, put)
  await moveAlike(urls, put)
})

async function splitNone(urls: readonly string[], put: Put) {
  const places = new Map<string, Set<string>>()
  let made = 0
  await inParallel(PUTS, async i => {
    // Each room is asked for by all registries, twice, at about the same time.
    const room = `r${Math.floor(i / (2 * REGISTRIES))}`
    const { status, host, epoch } = await taken(put, urls[i % REGISTRIES]!, room)
    if (status === 201) made++
    const told = places.get(room) ?? new Set()
    places.set(room, told.add(`${host} ${epoch}`))
  })
  assert.is(places.size, Math.ceil(PUTS / (2 * REGISTRIES)))
  assert.equal(
    [...places].filter(([, told]) => told.size !== 1),
    []
  )
  assert.ok(made >= places.size)
  // All hosts have some.
  assert.is(new Set([...places.values()].map(told => [...told][0])).size, HOSTS)
}

/** A room that moves is told with a higher epoch, and in one place for each epoch. */
async function moveAlike(urls: readonly string[], put: Put) {
  const told = new Map<number, Set<string>>()
  for (let move = 0; move < 4; move++) {
    let host = ''
    await inParallel(120, async i => {
      const place = await taken(put, urls[i % REGISTRIES]!, 'a')
      const hosts = told.get(place.epoch) ?? new Set()
      told.set(place.epoch, hosts.add(place.host))
      host = place.host
    })
    assert.is((await ask(urls[move % REGISTRIES]!, 'DELETE', `/hosts/${host}`)).status, 204)
  }
  assert.equal([...told.keys()].toSorted(), [1, 2, 3, 4])
  for (const [epoch, hosts] of told) assert.is(hosts.size, 1, `epoch ${epoch}`)
}

test('Redis is killed: known rooms are answered, new ones wait. It is emptied: no known room moves', async () => {
  // New places wait for a third of the lease, so that others can put back what they know.
  const { redis, urls } = await open(['--lease', '15'])
  const timer = setInterval(() => register(urls[0]!).catch(() => {}), 2_000)
  afterTest(() => clearInterval(timer))
  const put = putter()
  await known(redis, urls, put)
  await emptied(redis, urls, put)
})

async function known(redis: Redis, urls: readonly string[], put: Put) {
  for (const url of urls) await taken(put, url, 'known')
  const before = await taken(put, urls[0]!, 'known')
  await redis.kill()
  for (const url of urls) {
    assert.equal(await put(url, 'known'), before)
    const { status, headers } = await ask(url, 'PUT', '/rooms/new')
    assert.is(status, 503)
    assert.is(headers['retry-after'], '1')
    for (const path of ['/healthz', '/readyz']) assert.is((await ask(url, 'GET', path)).status, 200)
  }
  await redis.start()
  for (const url of urls) {
    await until(async () => (await put(url, 'new')).status < 300)
    assert.equal(await put(url, 'known'), before)
  }
  const places = await Promise.all(urls.map(url => taken(put, url, 'new')))
  assert.is(new Set(places.map(({ host }) => host)).size, 1)
}

async function emptied(redis: Redis, urls: readonly string[], put: Put) {
  const rooms = Array.from({ length: 30 }, (_, i) => `r${i}`)
  const before = await Promise.all(rooms.map((room, i) => taken(put, urls[i % REGISTRIES]!, room)))
  await redis.empty()
  for (const [i, room] of rooms.entries()) {
    // By another registry than the one that gave it.
    const url = urls[(i + 1) % REGISTRIES]!
    const place = await until(async () => {
      const told = await put(url, room)
      return told.status < 300 && told
    })
    assert.equal([place.host, place.epoch], [before[i]!.host, before[i]!.epoch], room)
  }
}

test.run()
