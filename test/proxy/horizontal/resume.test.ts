// What a session that never was makes a cluster do when it is resumed: hardly anything, and nothing
// before it counts as a session.

import { type AddressInfo, type Socket, createServer } from 'node:net'
import { once } from 'node:events'
import * as localMediasoup from 'mediasoup'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { remote } from '../../../client/index.ts'
import { codes } from '../../../lib/errors.ts'
import { newSessionKey } from '../../../lib/handshake.ts'
import type { Tier } from '../../../lib/index.ts'
import { horizontal } from '../../../proxy/index.ts'
import { leaf, serve } from '../../../server/index.ts'
import { afterTest, cleanUp, raw, until } from '../../helper.ts'

cleanUp(test)

const opening = () => ({ ...newSessionKey(), received: null, resume: true })

/** A cluster below a cluster, and how often a session was to be resumed there. */
async function openTree() {
  const region = horizontal([leaf(localMediasoup)])
  let resumed = 0
  const counted: Tier = {
    resumable: true,
    open(options = {}) {
      if (options.resume) resumed++
      return region.open(options)
    },
    close: () => region.close()
  }
  const cluster = horizontal([counted])
  afterTest(() => cluster.close())
  await until(() => cluster.load.capacity)
  const server = await serve(cluster)
  afterTest(() => server.close())
  return { url: server.url, resumed: () => resumed }
}

test('a session that never was opens nothing below, and what it recalls is looked for once', async () => {
  const { url, resumed } = await openTree()
  const peer = await raw(url)
  assert.ok((await peer.call('tier.open', opening())).result)
  assert.is(resumed(), 0)
  for (let i = 0; i < 20; i++) {
    const { result } = await peer.call('tier.recall', { nodes: [`node${i}`] })
    assert.equal(result, { count: 0 })
  }
  const all = Array.from({ length: 20 }, (_, i) =>
    peer.call('tier.recall', { nodes: [`another${i}`] })
  )
  for (const { result } of await Promise.all(all)) assert.equal(result, { count: 0 })
  assert.is(resumed(), 1)
  assert.ok((await peer.call('mediasoup.createWorker', {})).result)
})

test('a session that is to be resumed on a host that hangs counts until that has answered', async () => {
  const sockets: Socket[] = []
  const host = createServer(socket => void sockets.push(socket.on('error', () => {})))
  host.listen(0, '127.0.0.1')
  await once(host, 'listening')
  afterTest(() => {
    for (const socket of sockets) socket.destroy()
    host.close()
  })
  const { port } = host.address() as AddressInfo
  const tier = remote(`ws://127.0.0.1:${port}`, { timeout: 60_000 })
  afterTest(() => tier.close())
  const server = await serve(tier, { limits: { sessionsPerAddress: 2 } })
  afterTest(() => server.close())
  for (let i = 0; i < 2; i++) {
    const peer = await raw(server.url)
    peer.send({ jsonrpc: '2.0', id: 0, method: 'tier.open', params: [opening()] })
    await until(() => sockets.length === i + 1)
    peer.socket.terminate()
  }
  for (let i = 0; i < 5; i++) {
    const peer = await until(() => raw(server.url).catch(() => false as const))
    const { error } = await peer.call('tier.open', opening())
    assert.is(error?.code, codes.sessions)
    await peer.closed
  }
  assert.is(sockets.length, 2)
})

test.run()
