// `mafalda registry --webhook`: an application is told of the hosts and rooms of a real registry.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { afterTest, cleanUp, run, startLeaf, until } from '../helper.ts'
import { end } from '../kit/processes.ts'
import { ask, startRegistry } from '../kit/registry.ts'
import { SECRET, startReceiver } from '../kit/webhook-receiver.ts'

cleanUp(test)

const NEW_SECRET = `whsec_${Buffer.alloc(32, 9).toString('base64')}`

async function secretFile(content = SECRET) {
  const folder = await mkdtemp(join(tmpdir(), 'mafalda-webhook-'))
  afterTest(() => rm(folder, { recursive: true }))
  const file = join(folder, 'secret')
  await writeFile(file, content, { mode: 0o600 })
  return file
}

async function receive(secret?: string) {
  const receiver = await startReceiver(secret === undefined ? {} : { secret })
  afterTest(() => receiver.close())
  return receiver
}

test('an application is told of hosts and rooms in their order, and /metrics counts it', async () => {
  const receiver = await receive()
  const [one, other] = [await startLeaf(), await startLeaf()]
  const secret = await secretFile()
  const { url } = await startRegistry([
    ...['--webhook', receiver.url, '--webhook-secret', secret, '--metrics']
  ])
  const told = (subject: string) =>
    receiver
      .taken()
      .filter(event => event.subject === subject)
      .map(({ type, data }) => [type.replace('mafalda.', ''), data!.host, data!.epoch])
  const saw = (subject: string, ...expected: unknown[][]) =>
    until(() => told(subject).length >= expected.length).then(() =>
      assert.equal(told(subject), expected)
    )

  await ask(url, 'PUT', '/hosts/one', { body: { url: one.url } })
  await saw('hosts/one', ['host.up', 'one', undefined])
  await ask(url, 'PUT', '/rooms/a')
  await ask(url, 'PUT', '/rooms/a')
  await ask(url, 'PUT', '/hosts/other', { body: { url: other.url } })
  await saw('hosts/other', ['host.up', 'other', undefined])
  await end(one.child, 'SIGKILL')
  await saw('hosts/one', ['host.up', 'one', undefined], ['host.down', 'one', undefined])
  await ask(url, 'PUT', '/rooms/a')
  await ask(url, 'DELETE', '/rooms/a')
  assert.is((await ask(url, 'DELETE', '/rooms/a')).status, 404)
  await ask(url, 'PUT', '/rooms/b')
  await ask(url, 'PUT', '/rooms/a')
  await saw(
    'rooms/a',
    ['room.assigned', 'one', 1],
    ['room.moved', 'other', 2],
    ['room.closed', undefined, undefined],
    ['room.assigned', 'other', 3]
  )
  await saw('rooms/b', ['room.assigned', 'other', 1])
  await end(other.child, 'SIGTERM')
  await until(() => told('hosts/other').at(-1)![0] === 'host.down')
  assert.equal(receiver.wrong, [])
  const { body } = await ask(url, 'GET', '/metrics')
  const count = receiver.taken().length
  assert.match(String(body.text), `mafalda_webhook_events_total{outcome="told"} ${count}\n`)
  assert.match(String(body.text), 'mafalda_webhook_events_total{outcome="dead"} 0\n')
  assert.match(String(body.text), 'mafalda_webhook_events_waiting 0\n')
})

test('an application server that says that it drains is told of', async () => {
  const receiver = await receive()
  const { url } = await startRegistry([
    ...['--webhook', receiver.url, '--webhook-secret', await secretFile()]
  ])
  const types = () => receiver.taken().map(({ type }) => type)
  const say = (status: object) => ask(url, 'PUT', '/hosts/app/status', { body: status })
  await ask(url, 'PUT', '/hosts/app', { body: { url: 'https://app.example' } })
  await until(() => types().length === 1)
  await say({ capacity: 4, used: 4 })
  await until(() => types().length === 2)
  await say({ capacity: 4, used: 1, draining: true })
  await until(() => types().length === 3)
  await ask(url, 'DELETE', '/hosts/app')
  await until(() => types().length === 4)
  assert.equal(types(), [
    'mafalda.host.up',
    'mafalda.host.full',
    'mafalda.host.draining',
    'mafalda.host.down'
  ])
})

test('the file of secrets is read again when it changes', async () => {
  const receiver = await receive(NEW_SECRET)
  const file = await secretFile()
  const { url, lines } = await startRegistry([
    ...['--webhook', receiver.url, '--webhook-secret', file]
  ])
  await ask(url, 'PUT', '/hosts/app', { body: { url: 'https://app.example' } })
  await until(() => receiver.wrong.length)
  await writeFile(file, `${SECRET}\n${NEW_SECRET}\n`)
  await until(() => receiver.taken().length)
  assert.is(receiver.taken()[0]!.type, 'mafalda.host.up')
  const log = lines.join('\n')
  assert.match(log, 'the secrets of the webhook were read again')
  for (const secret of [SECRET, NEW_SECRET]) assert.not.match(log, secret)
})

test('options of a webhook that are wrong end the command with a sentence', async () => {
  const file = await secretFile('keyboard-cat')
  const wrong = [
    [['--webhook', 'ftp://app'], /must be an http:\/\/ or https:\/\/ URL \(got ftp:\/\/app\)/],
    [['--webhook', 'http://app'], /--webhook and --webhook-secret are given together/],
    [['--webhook', 'http://app', '--webhook-secret', file], /24 to 64 bytes in base64/]
  ] as const
  const check = async ([args, expected]: (typeof wrong)[number]) => {
    const { exited, errors, lines } = run(['registry', '--listen', '127.0.0.1:0', ...args])
    const [code] = await exited
    const output = [...errors, ...lines].join('\n')
    assert.match(output, expected)
    assert.not.match(output, 'keyboard-cat')
    assert.is.not(code, 0)
  }
  await Promise.all(wrong.map(check))
})

test.run()
