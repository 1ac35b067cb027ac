// Three hosts with Redis, with the options that docs/deploying.md puts into the files of the units.

import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { connect } from '../../client/index.ts'
import { authority, folder } from '../certificates.ts'
import { fencesOf, read } from '../docs/markdown.ts'
import { afterTest, cleanUp, freePort, until } from '../helper.ts'
import { end, listening, startMafalda } from '../kit/processes.ts'
import { startRedis } from '../kit/redis.ts'

cleanUp(test)

const PORTS = ['media-1', 'media-2', 'media-3', 'entry-1', 'entry-2']

/** The variables of a file that the document shows. */
function variablesOf(name: string): Record<string, string> {
  const [file] = fencesOf(read('docs/deploying.md'), 'ini').filter(({ text }) =>
    text.startsWith(`# ${name} of `)
  )
  assert.ok(file, name)
  const lines = [...file.text.matchAll(/^(\w+)=(.*)$/gm)]
  return Object.fromEntries(lines.map(([, name, value]) => [name, value]))
}

/** The program that a unit starts. */
const wordsOf = (unit: string) =>
  /^ExecStart=\S+ (.*)$/m.exec(read(`deploy/systemd/${unit}`))![1]!.split(' ')

test('hosts register at both registries, and a room is at the same one for both', async () => {
  const redis = await startRedis()
  afterTest(() => redis.end())
  const ports = new Map<string, number>()
  for (const name of PORTS) ports.set(name, await freePort())
  const [files, { ca, issue }] = [folder(), await authority()]
  const pair = { cert: join(files, 'tier.crt'), key: join(files, 'tier.key') }
  await issue('tier', pair)

  /** What stands in the document, on this machine. */
  const here = (name: string, variables: Record<string, string>) =>
    Object.fromEntries(
      Object.entries(variables).map(([key, value]) => [
        key,
        value
          .replace('/etc/mafalda/tiers-ca.crt', ca)
          .replace('/etc/mafalda', files)
          .replace('redis://10.0.0.9:6379', redis.url)
          .replace(/(entry|media)-\d:\d+/g, all => `127.0.0.1:${ports.get(all.split(':')[0]!)}`)
          .replace(/^(10|0)\.0\.0\.\d:\d+$/, `127.0.0.1:${ports.get(name)}`)
          .replace('127.0.0.1:4001', '127.0.0.1:0')
          .replace('203.0.113.7', '127.0.0.1')
      ])
    )
  async function start(
    name: string,
    unit: string,
    file: string,
    more: Record<string, string> = {}
  ) {
    const env = { ...process.env, ...here(name, { ...variablesOf(file), ...more }) }
    const started = startMafalda(wordsOf(unit), { env })
    afterTest(() => end(started.child))
    await listening(started)
    return started
  }

  for (const name of ['entry-1', 'entry-2'])
    await start(name, 'mafalda-registry.service', 'registry.env')
  const hosts = await Promise.all(
    ['media-1', 'media-2', 'media-3'].map(name =>
      start(name, 'mafalda-host.service', 'host.env', { MAFALDA_ADVERTISE: `wss://${name}:4000` })
    )
  )

  const access = {
    ca: readFileSync(ca),
    cert: readFileSync(pair.cert),
    key: readFileSync(pair.key)
  }
  const ask = (method: string, entry: string, path: string) =>
    new Promise<{ status: number; body: Record<string, unknown> }>((resolve, reject) => {
      const url = `https://127.0.0.1:${ports.get(entry)}${path}`
      request(url, { method, ...access, agent: false }, response =>
        json(response).then(
          body => resolve({ status: response.statusCode!, body: body as Record<string, unknown> }),
          reject
        )
      )
        .on('error', reject)
        .end()
    })
  const up = (entry: string) => async () => {
    const { body } = await ask('GET', entry, '/hosts')
    return (body.hosts as { state: string }[]).filter(({ state }) => state === 'up').length
  }
  for (const entry of ['entry-1', 'entry-2']) await until(async () => (await up(entry)()) === 3)
  const place = await until(async () => {
    const { status, body } = await ask('PUT', 'entry-1', '/rooms/daily')
    return status < 300 && body
  })
  assert.is(place.region, 'eu')
  assert.equal((await ask('PUT', 'entry-2', '/rooms/daily')).body, place)

  for (const url of [(place.urls as string[])[0]!, `wss://127.0.0.1:${ports.get('entry-2')}`]) {
    const mediasoup = await connect(url, { tls: { ca, ...pair } })
    afterTest(() => mediasoup.close())
    await (await mediasoup.createWorker()).createRouter()
    await mediasoup.close()
  }

  // As systemd stops it: nobody is there, so that the drain is over at once.
  hosts[2]!.child.kill('SIGTERM')
  assert.equal(await hosts[2]!.exited, [0, null])
  for (const entry of ['entry-1', 'entry-2']) await until(async () => (await up(entry)()) === 2)
})

test.run()
