// `mafalda registry`, and hosts that register there: as whoever operates them sees it.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { connect } from '../../client/index.ts'
import { authority, folder } from '../certificates.ts'
import { afterTest, cleanUp, freePort, run, until } from '../helper.ts'
import { type AskOptions, ask, startRegistry } from '../kit/registry.ts'
import { AUDIENCE, secretIssuer } from '../tokens.ts'

cleanUp(test)

interface Line {
  msg: string
  [name: string]: unknown
}

/** A host in a process of its own, which registers. */
async function startHost(registries: string, args: readonly string[] = [], scheme = 'ws') {
  const listen = `127.0.0.1:${await freePort()}`
  const url = `${scheme}://${listen}`
  const host = run([
    'serve',
    ...['--listen', listen, '--register', registries, '--advertise', url],
    ...args
  ])
  const logged = (message: string) =>
    host.lines.map(line => JSON.parse(line) as Line).filter(({ msg }) => msg === message)
  return { ...host, url, id: listen, logged }
}

type Host = Awaited<ReturnType<typeof startHost>>

const isUp = async (url: string, { id }: Host, options?: AskOptions) =>
  (await ask(url, 'GET', `/hosts/${id}`, options)).body.state === 'up'

const put = (url: string, room: string, body: object = {}) =>
  ask(url, 'PUT', `/rooms/${room}`, { body })

test('a host registers, rooms go there, and an application connects to the answer', async () => {
  const { url } = await startRegistry(['--vertical'])
  const host = await startHost(url, ['--label', 'region=eu', '--label', 'zone=a,rack=7'])
  await until(() => isUp(url, host))
  const { body: told } = await ask(url, 'GET', `/hosts/${host.id}`)
  assert.equal(told.labels, { region: 'eu', zone: 'a', rack: '7' })
  const { body } = await put(url, 'a', { region: 'eu' })
  assert.equal([body.url, body.region], [host.url, 'eu'])
  // The host, and all hosts as one.
  for (const tier of [body.urls as string[], url.replace(/^http/, 'ws')]) {
    const mediasoup = await connect(tier)
    afterTest(() => mediasoup.close())
    const router = await (await mediasoup.createWorker()).createRouter()
    assert.is((await router.dump()).id, router.id)
  }
})

test('a host that is killed gets no new room, and its rooms move, with a higher epoch', async () => {
  const { url } = await startRegistry()
  const [one, other] = [await startHost(url), await startHost(url)]
  await until(async () => (await isUp(url, one)) && isUp(url, other))
  const rooms = Array.from({ length: 12 }, (_, i) => `r${i}`)
  const before = await Promise.all(rooms.map(room => put(url, room)))
  assert.ok(before.some(({ body }) => body.host === one.id))
  one.child.kill('SIGKILL')
  await until(async () => (await ask(url, 'GET', `/hosts/${one.id}`)).status === 404)
  for (const [i, room] of rooms.entries()) {
    const { body } = await put(url, room)
    const moved = before[i]!.body.host === one.id
    assert.equal([body.host, body.epoch], [other.id, moved ? 2 : 1])
  }
  assert.is((await put(url, 'new')).body.host, other.id)
})

test('a host that drains gets no new rooms, and leaves when it is empty', async () => {
  const { url } = await startRegistry()
  const host = await startHost(url, ['--drain-deadline', '600'])
  await until(() => isUp(url, host))
  const mediasoup = await connect(host.url)
  afterTest(() => mediasoup.close())
  const worker = await mediasoup.createWorker()
  await put(url, 'a')
  host.child.kill('SIGTERM')
  await until(async () => (await ask(url, 'GET', `/hosts/${host.id}`)).body.state === 'draining')
  assert.is((await put(url, 'b')).status, 503)
  assert.is((await put(url, 'a')).body.host, host.id)
  worker.close()
  const [code] = await host.exited
  assert.is(code, 0)
  assert.is((await ask(url, 'GET', `/hosts/${host.id}`)).status, 404)
  assert.is(host.logged('has left').length, 1)
})

test('a registry that is away is tried again, and told of once; another one is not disturbed', async () => {
  const port = await freePort()
  const away = `http://127.0.0.1:${port}`
  const { url } = await startRegistry()
  const host = await startHost(`${url},${away}`)
  await until(() => isUp(url, host))
  await until(() => host.logged('could not register: it is tried again').length === 1)
  const mediasoup = await connect(host.url)
  afterTest(() => mediasoup.close())
  const registry = await startRegistry(['--listen', `127.0.0.1:${port}`])
  await until(() => isUp(registry.url, host))
  await until(() => host.logged('registered again').length === 1)
  assert.is(host.logged('could not register: it is tried again').length, 1)
  assert.is((await put(registry.url, 'a')).body.host, host.id)
  assert.is((await mediasoup.createWorker()).closed, false)
})

test('hosts register again with a registry that was started again', async () => {
  const listen = ['--listen', `127.0.0.1:${await freePort()}`, '--lease', '1']
  const first = await startRegistry(listen)
  const host = await startHost(first.url)
  await until(() => isUp(first.url, host))
  first.child.kill('SIGKILL')
  await first.exited
  const second = await startRegistry(listen)
  await until(() => isUp(second.url, host))
  assert.is((await put(second.url, 'a')).body.host, host.id)
})

test('with TLS and tokens on both sides, each shows what it has', async () => {
  const { ca, issue } = await authority()
  const { secret, issue: issueToken } = secretIssuer()
  const own = await issue('mafalda')
  const path = folder()
  const write = async (name: string, text: string) => {
    writeFileSync(join(path, name), text)
    return join(path, name)
  }
  const secretFile = await write('secret', secret)
  const doors = [
    ...['--tls-cert', own.cert, '--tls-key', own.key, '--ca', ca],
    ...['--token-secret', secretFile, '--token-audience', AUDIENCE]
  ]
  const tokenOf = async (sub: string, scope: string) =>
    write(`${sub}.jwt`, await issueToken({ sub, scope }))
  const toHosts = await tokenOf('registry', 'observe create operate')
  const { url } = await startRegistry([...doors, '--token', toHosts])
  const secure = url.replace(/^wss/, 'https')
  const toRegistry = await tokenOf('media-1', 'register')
  const host = await startHost(secure, [...doors, '--token', toRegistry, '--host-id', 'm1'], 'wss')
  const tls = { ca: readFileSync(ca) }
  const operator = { tls, token: await issueToken({ scope: 'operate' }) }
  await until(() => isUp(secure, { ...host, id: 'm1' }, operator))
  const application = { tls, token: await issueToken({ scope: 'rooms' }) }
  const { body } = await ask(secure, 'PUT', '/rooms/a', application)
  assert.is(body.url, host.url)
  const outsider = await startHost(secure, [...doors, '--token', toHosts], 'wss')
  await until(() => outsider.logged('could not register: it is tried again').length)
  const [{ reason }] = outsider.logged('could not register: it is tried again') as [Line]
  assert.match(reason as string, /it answered 403 PUT \/hosts\/\{id\} needs the scope register/)
})

test('what is wrong is told before anything is started', async () => {
  for (const [args, code, why] of [
    [['serve', '--register', 'http://127.0.0.1:1'], 1, /--register needs --advertise/],
    [['serve', '--register', 'ws://127.0.0.1:1'], 2, /must be like https:\/\/registry\.example/],
    [['serve', '--advertise', 'http://a'], 2, /must be like ws:\/\/host:port/],
    [['serve', '--label', 'eu'], 2, /Labels are like region=eu,zone=a \("eu" is not\)/],
    [['registry', '--store', 'mysql://a'], 2, /must be memory, or a Redis/],
    [['registry', '--rooms', 'maybe'], 2, /Allowed choices are consistent, available/],
    [['registry', '--rtc-ports', '1-2'], 2, /unknown option '--rtc-ports'/],
    [['registry', '--listen', '0.0.0.0:0'], 1, /whoever reaches 0\.0\.0\.0 could use this tier/]
  ] as const) {
    const { exited, errors } = run([...args])
    assert.is((await exited)[0], code, args.join(' '))
    assert.match(errors.join('\n'), why)
  }
})

test.run()
