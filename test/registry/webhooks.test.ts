// Applications are told what happens: every event, in the order of its subject, signed, and given up
// only by what the receiver says, or by its age.

import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Publish, publisher } from '../../registry/events/publish.ts'
import { parseSecrets } from '../../registry/events/secrets.ts'
import { type WebhooksOptions, openWebhooks } from '../../registry/events/webhooks.ts'
import type { Log } from '../../registry/log.ts'
import { MemoryStore } from '../../registry/store/memory-store.ts'
import { afterTest, cleanUp, until } from '../helper.ts'
import {
  type ReceiverOptions,
  SECRET,
  type WebhookReceiver,
  startReceiver
} from '../kit/webhook-receiver.ts'

cleanUp(test)

const SOURCE = 'wss://entry.example:4000'
const OLD_SECRET = `whsec_${Buffer.alloc(24, 1).toString('base64')}`

interface Logged {
  facts: Record<string, unknown>
}

/** Keeps the warnings that an event was given up. */
function logTo(deaths: Logged[]): Log {
  return {
    info: () => {},
    warn: (facts, text) => {
      if (text === 'an event was given up') deaths.push({ facts: { ...facts } })
    }
  }
}

async function receive(options?: ReceiverOptions): Promise<WebhookReceiver> {
  const receiver = await startReceiver(options)
  afterTest(() => receiver.close())
  return receiver
}

/** A registry that tells a receiver, quickly. */
function tell(url: string, options: Partial<WebhooksOptions> = {}) {
  const store = new MemoryStore()
  const deaths: Logged[] = []
  const webhooks = openWebhooks({
    store,
    registry: 'registry-1',
    url,
    secrets: () => parseSecrets(SECRET),
    log: logTo(deaths),
    backoff: [1, 20],
    ...options
  })
  afterTest(async () => {
    await webhooks.close()
    await store.close()
  })
  return { store, webhooks, deaths, publish: publisher(store, SOURCE) }
}

const moved = (publish: Publish, room: string, epoch: number) =>
  publish('room.moved', { room, host: `media-${epoch}`, url: 'wss://media', epoch })

const epochsOf = (receiver: WebhookReceiver, room: string) =>
  receiver
    .taken()
    .filter(({ subject }) => subject === `rooms/${room}`)
    .map(({ data }) => data!.epoch)

test('an event is a CloudEvent, and signed', async () => {
  const receiver = await receive()
  const { publish } = tell(receiver.url)
  const data = { host: 'media-1', url: 'wss://media-1:4000', labels: { region: 'eu' } }
  await publish('host.up', data)
  await until(() => receiver.taken().length || receiver.wrong.length)
  assert.equal(receiver.wrong, [])
  const [event] = receiver.taken()
  const { type, source, subject, specversion } = event!
  assert.equal(
    { type, source, subject, specversion, data: event!.data },
    { type: 'mafalda.host.up', source: SOURCE, subject: 'hosts/media-1', specversion: '1.0', data }
  )
  assert.ok(Math.abs(Date.now() - Date.parse(event!.time!)) < 60_000)
})

test('a receiver that has another secret takes nothing', async () => {
  const receiver = await receive({ secret: OLD_SECRET })
  const { publish, webhooks } = tell(receiver.url)
  await moved(publish, 'a', 1)
  await publish('hosts.wanted', { hosts: 2, now: 1, starting: 0, cores: 3, reason: 'more' })
  await until(() => receiver.wrong.length > 1)
  assert.match(receiver.wrong[0]!.message, /No matching signature/)
  assert.is(receiver.taken().length, 0)
  assert.is(webhooks.counts.told, 0)
})

test('while a secret is changed, receivers with the old one and with the new one take events', async () => {
  for (const secret of [OLD_SECRET, SECRET]) {
    const receiver = await receive({ secret })
    const secrets = () => parseSecrets(`${OLD_SECRET}\n${SECRET}\n`)
    const { publish } = tell(receiver.url, { secrets })
    await moved(publish, 'a', 1)
    await until(() => receiver.taken().length || receiver.wrong.length)
    assert.equal(receiver.wrong, [])
  }
})

test('a file of secrets that is none is refused, and is not quoted', () => {
  const short = `whsec_${Buffer.alloc(23).toString('base64')}`
  for (const [text, expected] of [
    ['', /has 1 or 2 lines \(got 0\)/],
    [`${SECRET}\n${SECRET}\n${SECRET}`, /has 1 or 2 lines \(got 3\)/],
    [short, /whsec_ and 24 to 64 bytes in base64 \(secret 1 is not\)/],
    [`${SECRET}\nkeyboard-cat-keyboard-cat-keyboard-cat`, /secret 2 is not/],
    ['whsec_!!!', /secret 1 is not/]
  ] as const) {
    assert.throws(
      () => parseSecrets(text),
      ({ message }: Error) => expected.test(message) && !/keyboard|AAAA/.test(message)
    )
  }
})

test('a receiver is an http:// or https:// URL without a password', () => {
  for (const [url, expected] of [
    ['ftp://example/', /must be an http:\/\/ or https:\/\/ URL \(got ftp:/],
    ['example', /must be an http/],
    ['https://me:secret@example/', /no user and password/]
  ] as const)
    assert.throws(() => tell(url), expected)
})

test('a receiver that fails at 3 of 10 and is slow takes all, and each subject in order', async () => {
  let [state, slow] = [1, 0]
  // The same each time: a linear congruential generator.
  const random = () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647
  const receiver = await receive({
    answer: async () => {
      if (++slow % 10 === 0) await new Promise(resolve => setTimeout(resolve, 30))
      return random() < 0.3 ? 503 : 204
    }
  })
  const { publish, webhooks } = tell(receiver.url)
  const [rooms, epochs] = [20, 10]
  for (let epoch = 1; epoch <= epochs; epoch++)
    for (let room = 0; room < rooms; room++) await moved(publish, `room-${room}`, epoch)
  await until(() => webhooks.counts.told === rooms * epochs)
  assert.equal(receiver.wrong, [])
  assert.ok(webhooks.counts.failures > 20)
  const all = Array.from({ length: epochs }, (_, i) => i + 1)
  for (let room = 0; room < rooms; room++) assert.equal(epochsOf(receiver, `room-${room}`), all)
  // No other attempt of a subject goes out while one of its events is not taken.
  assert.is(receiver.received.length, rooms * epochs + webhooks.counts.failures)
})

test('an attempt has the same webhook-id and body as the one before', async () => {
  const receiver = await receive({
    answer: () => (receiver.received.length < 3 ? 500 : 200)
  })
  const { publish } = tell(receiver.url)
  await moved(publish, 'a', 1)
  await until(() => receiver.taken().length)
  assert.is(new Set(receiver.received.map(({ id }) => id)).size, 1)
  assert.is(new Set(receiver.received.map(({ event }) => event.time)).size, 1)
  assert.is(receiver.received.length, 4)
})

test('what waits of one subject keeps no other one waiting, however many they are', async () => {
  const receiver = await receive({
    answer: ({ subject }) => (subject!.startsWith('rooms/ill-') ? 503 : 204)
  })
  const { publish, webhooks } = tell(receiver.url)
  for (let i = 0; i < 50; i++) await moved(publish, `ill-${i}`, 1)
  await moved(publish, 'ill-0', 2)
  await until(() => webhooks.counts.failures > 50)
  for (let epoch = 1; epoch <= 3; epoch++) await moved(publish, 'well', epoch)
  await until(() => webhooks.counts.told === 3)
  assert.equal(epochsOf(receiver, 'well'), [1, 2, 3])
  const ill = receiver.received.filter(({ event }) => event.subject === 'rooms/ill-0')
  assert.ok(ill.every(({ event }) => event.data!.epoch === 1))
})

test('a receiver that does not answer is asked again, and others are not kept waiting', async () => {
  let isHung = true
  const receiver = await receive({
    answer: ({ subject }) => (subject === 'rooms/hung' && isHung ? () => {} : 204)
  })
  const { publish } = tell(receiver.url, { timeout: 200 })
  await moved(publish, 'hung', 1)
  await moved(publish, 'well', 1)
  await until(() => receiver.received.filter(({ isTaken }) => !isTaken).length > 1)
  assert.equal(epochsOf(receiver, 'well'), [1])
  isHung = false
  await until(() => epochsOf(receiver, 'hung').length)
})

test('nobody there is asked again, and the log has no path of the URL, which may be a secret', async () => {
  const gone = await receive()
  gone.close()
  const logged: string[] = []
  const warn = (facts: object, text: string) => logged.push(JSON.stringify({ ...facts, text }))
  const { publish, webhooks } = tell(`${gone.url}?key=secret`, { log: { info() {}, warn } })
  await moved(publish, 'a', 1)
  await until(() => webhooks.counts.failures > 3)
  assert.equal(webhooks.counts.dead, 0)
  assert.is(webhooks.counts.waiting, 1)
  assert.match(logged.join(), 'told again')
  assert.not.match(logged.join(), 'secret')
})

for (const status of [301, 307, 400, 401, 404, 408, 413, 422, 429, 500, 502]) {
  test(`${status} is no reason to give an event up`, async () => {
    const receiver = await receive({
      answer: () => (receiver.received.length < 2 ? status : 202)
    })
    const { publish, webhooks } = tell(receiver.url)
    await moved(publish, 'a', 1)
    await until(() => webhooks.counts.told)
    assert.equal(webhooks.counts, { told: 1, dead: 0, failures: 2, waiting: 0 })
  })
}

test('410 gives an event up at once: it is a dead letter in the log, and the next one is told', async () => {
  const receiver = await receive({ answer: ({ data }) => (data!.epoch === 1 ? 410 : 204) })
  const { publish, webhooks, deaths } = tell(receiver.url)
  await moved(publish, 'a', 1)
  await moved(publish, 'a', 2)
  await until(() => webhooks.counts.told)
  assert.equal(webhooks.counts, { told: 1, dead: 1, failures: 1, waiting: 0 })
  const [{ facts }] = deaths as [Logged]
  assert.is(facts.reason, 'the receiver answered 410')
  assert.is(JSON.parse(String(facts.event)).id, receiver.received[0]!.id)
})

test('an event that is too old is a dead letter, and the next one is told', async () => {
  const receiver = await receive({ answer: ({ data }) => (data!.epoch === 1 ? 503 : 204) })
  const { publish, webhooks, deaths } = tell(receiver.url, { giveUp: 100 })
  await moved(publish, 'a', 1)
  await moved(publish, 'a', 2)
  await until(() => webhooks.counts.told)
  assert.is(webhooks.counts.dead, 1)
  assert.is(deaths[0]!.facts.reason, 'the receiver answered 503')
})

test('Retry-After is waited for, in seconds and as a date', async () => {
  const headers = [
    () => '1',
    () => new Date(Date.now() + 2_000).toUTCString(),
    () => 'Thu, 01 Jan 1970 00:00:00 GMT',
    () => 'soon'
  ]
  const receiver = await receive({
    answer: () => {
      const after = headers[receiver.received.length]
      return after ? response => response.writeHead(429, { 'retry-after': after() }).end() : 204
    }
  })
  const { publish, webhooks } = tell(receiver.url)
  await moved(publish, 'a', 1)
  await until(() => webhooks.counts.told)
  const times = receiver.received.map(({ at }) => at)
  assert.is(times.length, 5)
  assert.ok(times[1]! - times[0]! >= 990)
  assert.ok(times[2]! - times[1]! >= 900)
})

test('a redirection is not followed', async () => {
  let visited = 0
  const elsewhere = createServer((_request, response) => {
    visited++
    response.end()
  }).listen(0, '127.0.0.1')
  await once(elsewhere, 'listening')
  afterTest(() => elsewhere.close())
  const location = `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}/`
  const receiver = await receive({
    answer: () => response => response.writeHead(307, { location }).end()
  })
  const { publish, webhooks } = tell(receiver.url)
  await moved(publish, 'a', 1)
  await until(() => webhooks.counts.failures > 2)
  assert.is(visited, 0)
})

test('a registry that closes lets attempts end, and leaves the rest to others', async () => {
  let release = () => {}
  const receiver = await receive({
    answer: ({ subject }) =>
      subject === 'rooms/slow'
        ? new Promise(resolve => {
            release = () => resolve(204)
          })
        : 503
  })
  const { publish, webhooks, store } = tell(receiver.url, { patience: 300 })
  await moved(publish, 'slow', 1)
  await moved(publish, 'ill', 1)
  await until(() => webhooks.counts.failures > 1 && webhooks.counts.waiting === 2)
  const closing = webhooks.close()
  release()
  await closing
  assert.is(webhooks.counts.told, 1)
  const other = await take(store, 'registry-2')
  assert.is(other!.subject, 'rooms/ill')
})

/** The next event that another registry gets. */
async function take(store: MemoryStore, registry: string) {
  for await (const event of store.events(registry, 300, new AbortController().signal)) return event
  return undefined
}

test('what a registry had that is dead is told by another one', async () => {
  const receiver = await receive()
  const store = new MemoryStore()
  const publish = publisher(store, SOURCE)
  await moved(publish, 'a', 1)
  await moved(publish, 'a', 2)
  await take(store, 'registry-2')
  const { webhooks } = tell(receiver.url, { store, patience: 200 })
  await until(() => webhooks.counts.told === 2)
  assert.equal(epochsOf(receiver, 'a'), [1, 2])
})

test.run()
