// A tier is shut down by the value of its expression.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import * as localMediasoup from 'mediasoup'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { client, connect, remote } from '../client/index.ts'
import type { Tier } from '../lib/tier.ts'
import { horizontal, vertical } from '../proxy/index.ts'
import { leaf, serve } from '../server/index.ts'
import { afterTest, cleanUp, isAlive, rejection, startLeaf, until } from './helper.ts'

cleanUp(test)

const expressions: [name: string, tier: (url: string) => Tier][] = [
  ['a leaf', () => leaf(localMediasoup)],
  ['a leaf with shared Workers', () => leaf(localMediasoup, { shareWorkers: true })],
  ['a remote tier', url => remote(url)],
  ['a cluster', url => horizontal([remote(url)])],
  ['a vertical tier', () => vertical(leaf(localMediasoup))],
  ['an aggregated tier', url => vertical(horizontal([remote(url)]))]
]

for (const [name, tierOf] of expressions) {
  test(`${name} that is closed ends its sessions, and opens no more`, async () => {
    const { url } = await startLeaf()
    const tier = tierOf(url)
    const mediasoup = await client(tier, { reconnect: false })
    const worker = await mediasoup.createWorker()
    const died = once(worker, 'died')
    tier.close()
    await died
    await until(() => !isAlive(worker.pid))
    assert.match((await rejection(tier.open())).message, /the tier is closed/)
    assert.match((await rejection(client(tier))).message, /the tier is closed/)
    await until(
      async () =>
        (await (await fetch(`${url.replace('ws', 'http')}/healthz`)).json()).sessions === 0
    )
  })
}

test('a server that is closed leaves its tier to whoever made it', async () => {
  const tier = vertical(leaf(localMediasoup))
  afterTest(() => tier.close())
  const server = await serve(tier)
  const mediasoup = await connect(server.url, { reconnect: false })
  await mediasoup.createWorker()
  await server.close()
  const again = await serve(tier)
  afterTest(() => again.close())
  const other = await connect(again.url)
  afterTest(() => other.close())
  assert.not((await other.createWorker()).closed)
})

test('a process whose tiers are closed ends by itself', async () => {
  const { url } = await startLeaf()
  const program = `
    import * as mediasoup from 'mediasoup'
    import { client, horizontal, leaf, remote, serve, vertical } from './index.ts'
    const tier = vertical(horizontal([remote('${url}'), remote('ws://127.0.0.1:1'), leaf(mediasoup)]))
    const server = await serve(tier)
    const workers = await client(tier, { reconnect: false })
    await workers.createWorker()
    await server.close()
    tier.close()
  `
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: 'inherit'
  })
  afterTest(() => child.kill('SIGKILL'))
  assert.equal(await once(child, 'exit'), [0, null])
})

test.run()
