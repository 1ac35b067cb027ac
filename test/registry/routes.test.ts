// The requests of a registry: what is wrong, who may ask, and the document of all of it.

import { readFileSync } from 'node:fs'
import { Validator } from '@seriousme/openapi-schema-validator'
import * as localMediasoup from 'mediasoup'
import { pino } from 'pino'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { remote } from '../../client/index.ts'
import { horizontal } from '../../proxy/index.ts'
import { type RegistryOptions, openRegistry } from '../../registry/index.ts'
import { type ServeOptions, leaf, serve } from '../../server/index.ts'
import { authority } from '../certificates.ts'
import { afterTest, cleanUp, until } from '../helper.ts'
import { type AskOptions, ask } from '../kit/registry.ts'
import { AUDIENCE, secretIssuer } from '../tokens.ts'

cleanUp(test)

const logger = pino({ level: 'silent' })

async function open(options: ServeOptions = {}, settings: Partial<RegistryOptions> = {}) {
  const cluster = horizontal()
  const registry = openRegistry({ cluster, connect: url => remote(url), ...settings })
  const server = await serve(cluster, { logger, routes: registry.routes, ...options })
  afterTest(async () => {
    await server.close()
    cluster.close()
    await registry.close()
  })
  const { url } = server
  return {
    url,
    ...registry,
    ask: (method: string, path: string, more: AskOptions = {}) => ask(url, method, path, more)
  }
}

/** A registry with one host, which is up. */
async function openWithHost() {
  const opened = await open()
  const tier = leaf(localMediasoup)
  const host = await serve(tier, { logger })
  afterTest(async () => {
    await host.close()
    tier.close()
  })
  await opened.ask('PUT', '/hosts/media-1', { body: { url: host.url, labels: { region: 'eu' } } })
  await until(() => opened.fleet.stateOf('media-1') === 'up')
  return { ...opened, host }
}

test('a room is where its host is, and stays there until it is deleted', async () => {
  const { ask, host } = await openWithHost()
  const first = await ask('PUT', '/rooms/a')
  const told = {
    room: 'a',
    url: host.url,
    urls: [host.url],
    host: 'media-1',
    region: 'eu',
    epoch: 1,
    iceServers: []
  }
  assert.is(first.status, 201)
  assert.equal(first.body, told)
  for (const method of ['PUT', 'GET']) {
    const { status, body } = await ask(method, '/rooms/a')
    assert.is(status, 200)
    assert.equal(body, told)
  }
  assert.is((await ask('DELETE', '/rooms/a')).status, 204)
  assert.is((await ask('GET', '/rooms/a')).status, 404)
  assert.is((await ask('DELETE', '/rooms/a')).status, 404)
})

test('a GET never makes a room, and a POST makes one with a new id each time', async () => {
  const { ask } = await openWithHost()
  assert.is((await ask('GET', '/rooms/a')).status, 404)
  assert.is((await ask('GET', '/rooms/a')).status, 404)
  const [one, other] = [await ask('POST', '/rooms'), await ask('POST', '/rooms', { body: {} })]
  assert.is(one.status, 201)
  assert.is.not(one.body.room, other.body.room)
  assert.is(one.headers.location, `/rooms/${one.body.room}`)
  assert.is((await ask('GET', one.headers.location as string)).status, 200)
})

test('the id of a room is any text: it is decoded once', async () => {
  const { ask } = await openWithHost()
  for (const room of ['../a', 'a/b', '%41', 'stand-up über 3 €', '🎥', 'a?b#c', '__proto__']) {
    const { body } = await ask('PUT', `/rooms/${encodeURIComponent(room)}`)
    assert.is(body.room, room)
  }
})

test('rooms and hosts are told in pages', async () => {
  const { ask } = await openWithHost()
  for (let i = 0; i < 25; i++) await ask('PUT', `/rooms/${String(i).padStart(2, '0')}`)
  const told: string[] = []
  let path: string | undefined = '/rooms?limit=10'
  let pages = 0
  while (path) {
    const { body } = await ask('GET', path)
    const { rooms, next } = body as { rooms: { room: string }[]; next?: string }
    assert.ok(rooms.length <= 10)
    told.push(...rooms.map(({ room }) => room))
    path = next === undefined ? undefined : `/rooms?limit=10&after=${next}`
    pages++
  }
  assert.is(pages, 3)
  assert.equal(
    told,
    Array.from({ length: 25 }, (_, i) => String(i).padStart(2, '0'))
  )
  const { body } = await ask('GET', '/hosts')
  const { hosts } = body as { hosts: { id: string; state: string; load: object }[] }
  assert.equal(
    hosts.map(({ id, state }) => [id, state]),
    [['media-1', 'up']]
  )
  assert.equal(Object.keys(hosts[0]!.load), ['capacity', 'used'])
  assert.equal((await ask('GET', '/hosts/media-1')).body, hosts[0])
})

test('what is wrong is a problem, which says what was wrong and what is allowed', async () => {
  const { ask } = await open()
  const url = 'ws://127.0.0.1:4000'
  const many = Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`l${i}`, '']))
  const cases: [method: string, path: string, options: AskOptions, status: number, why: RegExp][] =
    [
      ['PUT', '/hosts/a%20b', { body: { url } }, 400, /1 to 128 of the characters.*got "a b"/],
      ['PUT', '/hosts/a', { body: {} }, 400, /the url must be like wss:\/\/host:port.*got nothing/],
      ['PUT', '/hosts/a', { body: { url: 'ftp://a' } }, 400, /must be like .*got "ftp:\/\/a"/],
      ['PUT', '/hosts/a', { body: { url: 'ws://u:p@a' } }, 400, /no credentials/],
      ['PUT', '/hosts/a', { body: { url, labels: many } }, 400, /32 labels/],
      ['PUT', '/hosts/a', { body: { url, labels: { 'a b': '' } } }, 400, /the name of a label/],
      ['PUT', '/hosts/a', { body: { url, labels: { a: 7 } } }, 400, /the label a must be a string/],
      ['PUT', '/hosts/a', { body: { url, rooms: {} } }, 400, /rooms must be an array/],
      ['PUT', '/hosts/a', { body: { url, rooms: [{ room: '' }] } }, 400, /1 to 256 characters/],
      ['PUT', '/hosts/a', { body: { url, rooms: [{ room: 'a', epoch: 0 }] } }, 400, /from 1 up/],
      ['PUT', '/hosts/a', { body: { url, capacity: 1 } }, 400, /may have url, labels, rooms/],
      ['PUT', '/hosts/a', { body: [] }, 400, /the body must be an object/],
      ['PUT', '/hosts/a', {}, 400, /the body must be an object \(got nothing\)/],
      ['PUT', '/hosts/a', { body: '{"url":' }, 400, /must be JSON in UTF-8/],
      ['PUT', '/hosts/a', { body: Buffer.from([0x22, 0xff, 0x22]) }, 400, /must be JSON in UTF-8/],
      [
        'PUT',
        '/hosts/a/status',
        { body: { capacity: 1, used: 0 } },
        404,
        /no host a is registered/
      ],
      ['DELETE', '/hosts/a', {}, 404, /no host a is registered/],
      ['GET', '/hosts/a', {}, 404, /no host a is registered/],
      ['GET', '/hosts?limit=0', {}, 400, /limit must be a whole number from 1 to 1000 \(got "0"\)/],
      ['GET', '/hosts?page=1', {}, 400, /takes the parameters limit, after \(got page\)/],
      ['GET', '/hosts/a?x=1', {}, 400, /takes the parameters none/],
      ['GET', '/hosts/a/b', {}, 404, /there is no \/hosts\/a\/b/],
      ['GET', '/hosts/%ff', {}, 400, /must be UTF-8/],
      ['PATCH', '/hosts', {}, 405, /\/hosts has GET \(got PATCH\)/],
      ['DELETE', '/rooms', {}, 405, /\/rooms has POST, GET/],
      ['PUT', `/rooms/${'x'.repeat(257)}`, {}, 400, /1 to 256 characters/],
      ['PUT', '/rooms/a%00', {}, 400, /none of which is a control character/],
      ['PUT', '/rooms/a', { body: { region: 7 } }, 400, /region must be a string \(got 7\)/],
      ['PUT', '/rooms/a', { body: { labels: [] } }, 400, /labels must be an object/],
      ['PUT', '/rooms/a', { body: { zone: 'a' } }, 400, /may have region, labels \(got "zone"\)/],
      ['PUT', '/rooms/a', {}, 503, /no host takes new rooms now \(0 are registered\)/],
      ['GET', '/rooms/a', { body: {}, headers: { 'content-length': '2' } }, 400, /takes no body/],
      ['PUT', '/rooms/a', { body: `"${'x'.repeat(65_536)}"` }, 413, /at most 65536 bytes/],
      [
        'PUT',
        '/rooms/a',
        { body: '{}', headers: { 'content-type': 'text/plain' } },
        415,
        /must be application\/json \(got text\/plain\)/
      ],
      [
        'PUT',
        '/rooms/a',
        { body: '{}', headers: { 'content-encoding': 'gzip' } },
        415,
        /no content-encoding/
      ],
      [
        'PUT',
        '/rooms/a',
        { headers: { origin: 'https://evil.example' } },
        403,
        /pages of https:\/\/evil\.example may not ask/
      ],
      ['GET', '/rooms', { headers: { host: 'evil.example' } }, 403, /Host must be localhost/]
    ]
  for (const [method, path, options, status, why] of cases) {
    const what = `${method} ${path}`
    const answer = await ask(method, path, options)
    assert.is(answer.status, status, `${what}: ${JSON.stringify(answer.body)}`)
    assert.is(answer.type, 'application/problem+json', what)
    assert.is(answer.body.status, status, what)
    assert.ok(answer.body.title, what)
    assert.match(answer.body.detail as string, why, what)
    if (status === 405) assert.ok(answer.headers.allow, what)
    if (status === 503) assert.is(answer.headers['retry-after'], '1', what)
  }
  assert.is((await ask('GET', '/healthz')).status, 200)
  assert.is((await ask('GET', '/elsewhere')).status, 426)
})

test('a body that is sent in pieces, and never ends, is not kept', async () => {
  const { ask } = await open()
  const body = Buffer.alloc(10 * 1024 * 1024, 0x20)
  const headers = { 'transfer-encoding': 'chunked' }
  const answer = await ask('PUT', '/rooms/a', { body, headers }).catch(error => error)
  // The connection ends while the rest is on its way.
  if (!(answer instanceof Error)) assert.is(answer.status, 413)
})

test('/openapi.json is valid, and has each route with each answer', async () => {
  const { ask, routes } = await open()
  const { body } = await ask('GET', '/openapi.json')
  const { valid, errors } = await new Validator().validate(body)
  assert.ok(valid, JSON.stringify(errors))
  const paths = body.paths as Record<string, Record<string, { responses: object }>>
  for (const { method, path, answers } of routes) {
    const operation = paths[path]?.[method.toLowerCase()]
    assert.ok(operation, `${method} ${path}`)
    for (const status of Object.keys(answers)) assert.ok(status in operation.responses)
  }
  assert.is(Object.values(paths).flatMap(Object.keys).length, routes.length)
})

test('each route needs its scope: another one is not enough', async () => {
  const { key, issue } = secretIssuer()
  const { ask, routes } = await open({ tokens: { secret: key, audience: AUDIENCE } })
  const body = { url: 'https://app.example', capacity: 1, used: 0 }
  const scopes = ['observe', 'create', 'operate', 'register', 'rooms']
  for (const { method, path, scope, body: takes } of routes) {
    const at = path.replace('{id}', 'a')
    const options = takes ? { body } : {}
    assert.ok(scope, at)
    const none = await ask(method, at, options)
    assert.is(none.status, 401)
    assert.is(none.headers['www-authenticate'], 'Bearer')
    assert.match(none.body.detail as string, `a token with the scope ${scope}`)
    for (const other of scopes) {
      const { status } = await ask(method, at, { ...options, token: await issue({ scope: other }) })
      assert.is(status === 403, other !== scope, `${method} ${at} with ${other}: ${status}`)
    }
    const wrong = await ask(method, at, { ...options, token: 'no.token.atall' })
    assert.is(wrong.status, 401)
  }
  assert.is((await ask('GET', '/openapi.json')).status, 200)
})

test('a host belongs to the subject that registered it, and to who may operate', async () => {
  const { key, issue } = secretIssuer()
  const { ask } = await open({ tokens: { secret: key, audience: AUDIENCE } })
  const [ours, theirs, operator] = await Promise.all([
    issue({ sub: 'media-1', scope: 'register' }),
    issue({ sub: 'media-2', scope: 'register' }),
    issue({ sub: 'ops', scope: 'register operate' })
  ])
  const body = { url: 'https://one.example' }
  const elsewhere = { url: 'https://evil.example' }
  assert.is((await ask('PUT', '/hosts/a', { token: ours, body })).status, 200)
  assert.is((await ask('PUT', '/hosts/a', { token: ours, body })).status, 200)
  for (const [method, path, body] of [
    ['PUT', '/hosts/a', elsewhere],
    ['PUT', '/hosts/a/status', { capacity: 64, used: 0 }],
    ['DELETE', '/hosts/a', undefined]
  ] as const) {
    const { status, body: problem } = await ask(method, path, { token: theirs, body })
    assert.is(status, 403, `${method} ${path}`)
    assert.match(problem.detail as string, /another subject/)
  }
  const { body: host } = await ask('GET', '/hosts/a', { token: operator })
  assert.is(host.url, body.url)
  assert.is(host.owner, undefined)
  assert.is((await ask('DELETE', '/hosts/a', { token: operator })).status, 204)
})

test('with client certificates, who has none of them asks nothing', async () => {
  const { ca, issue } = await authority()
  const [own, client] = [await issue('registry'), await issue('app')]
  const { url } = await open({
    tls: { ...own, ca },
    clientScopes: Buffer.from(JSON.stringify({ 'app of *': { scope: 'rooms' } }))
  })
  const read = (file: string) => readFileSync(file)
  const secure = url.replace(/^wss/, 'https')
  const tls = { ca: read(ca), cert: read(client.cert), key: read(client.key) }
  const keepAlive = { connection: 'keep-alive' }
  const { status, headers } = await ask(secure, 'GET', '/rooms', { tls, headers: keepAlive })
  assert.is(status, 200)
  // The certificate is looked at again with the next request.
  assert.is(headers.connection, 'close')
  assert.is((await ask(secure, 'GET', '/hosts', { tls })).status, 403)
  const without = await ask(secure, 'GET', '/rooms', { tls: { ca: read(ca) } }).catch(
    error => error
  )
  assert.instance(without, Error)
})

test('wrong tokens of an address are answered later, when there were many', async () => {
  const { key, issue } = secretIssuer()
  const { ask } = await open({ tokens: { secret: key, audience: AUDIENCE } })
  for (let i = 0; i < 20; i++) await ask('GET', '/rooms', { token: 'a.b.c' })
  let answered = false
  const late = ask('GET', '/rooms', { token: 'a.b.c' }).then(() => (answered = true))
  // Who has a right one comes in as before.
  assert.is((await ask('GET', '/rooms', { token: await issue({ scope: 'rooms' }) })).status, 200)
  assert.is(answered, false)
  await late
})

test('an address has only so many requests at once', async () => {
  let answer = () => {}
  const waiting = new Promise<void>(resolve => (answer = resolve))
  const { ask } = await open({
    limits: { sessionsPerAddress: 2 },
    routes: [
      {
        method: 'GET',
        path: '/slow',
        summary: '',
        answers: {},
        answer: () => waiting.then(() => ({ body: {} }))
      }
    ]
  })
  const statuses: number[] = []
  const asked = [1, 2, 3].map(() => ask('GET', '/slow').then(({ status }) => statuses.push(status)))
  await until(() => statuses.length === 1)
  assert.equal(statuses, [429])
  answer()
  await Promise.all(asked)
  assert.equal(statuses, [429, 200, 200])
})

test('a host whose URL the registry would not connect to is told so', async () => {
  const { ask } = await open({}, { connect: url => remote(url, { tls: {} }) })
  const { status, body } = await ask('PUT', '/hosts/a', { body: { url: 'ws://127.0.0.1:4000' } })
  assert.is(status, 400)
  assert.match(body.detail as string, /tls needs a URL like wss:/)
})

test('an application server tells its load, and gets rooms by it until its lease is over', async () => {
  const { ask, fleet } = await open({}, { lease: 2_000 })
  const hosts = ['one', 'two']
  const tell = async () => {
    for (const id of hosts)
      await ask('PUT', `/hosts/${id}`, { body: { url: `https://${id}.example` } })
    await ask('PUT', '/hosts/one/status', { body: { capacity: 8, used: 8 } })
    await ask('PUT', '/hosts/two/status', { body: { capacity: 8, used: 1, draining } })
  }
  let draining = false
  const told = (condition: () => unknown) =>
    until(async () => {
      await tell()
      return Boolean(condition())
    })
  await told(() => fleet.loadOf('one') && fleet.loadOf('two'))
  assert.is((await ask('PUT', '/rooms/a')).body.host, 'two')
  draining = true
  await told(() => fleet.stateOf('two') === 'draining')
  assert.is((await ask('PUT', '/rooms/b')).body.host, 'one')
  assert.is((await ask('PUT', '/hosts/one', { body: { url: 'ws://127.0.0.1:1' } })).status, 200)
  await until(() => fleet.get('one')?.url === 'ws://127.0.0.1:1')
  const { status, body } = await ask('PUT', '/hosts/one/status', { body: { capacity: 1, used: 0 } })
  assert.is(status, 409)
  assert.match(body.detail as string, /its load comes over its own connection/)
  await until(() => ![...fleet].length)
  assert.is((await ask('PUT', '/rooms/a')).status, 503)
})

test.run()
