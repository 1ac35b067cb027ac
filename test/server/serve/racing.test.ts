// A client whose session another process had comes on several connections at once: the session is
// there once, and so is what it has on the tiers below.

import * as localMediasoup from 'mediasoup'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { remote } from '../../../client/index.ts'
import { newSessionKey } from '../../../lib/handshake.ts'
import type { Tier } from '../../../lib/index.ts'
import { horizontal, vertical } from '../../../proxy/index.ts'
import { leaf, serve } from '../../../server/index.ts'
import { afterTest, cleanUp, isAlive, raw, until } from '../../helper.ts'

cleanUp(test)

const tiers: [name: string, over: (url: string) => Tier][] = [
  ['a tier at a URL', url => remote(url)],
  ['a cluster', url => horizontal([remote(url)])],
  ['a vertical tier', url => vertical(remote(url))]
]

/** The Worker of a session on a proxy that was replaced since. */
async function stage(over: (url: string) => Tier) {
  const host = await serve(leaf(localMediasoup))
  afterTest(() => host.close())
  const key = newSessionKey()
  // Until the end of the test, as if its process had ended without a word.
  const [gone, tier] = [over(host.url), over(host.url)]
  for (const each of [gone, tier]) afterTest(() => each.close())
  const before = await serve(gone)
  const peer = await raw(before.url)
  await peer.call('tier.open', { ...key, received: 0 })
  await peer.call('tier.hello')
  const { result } = await peer.call('mediasoup.createWorker', {})
  await before.close({ comesBack: true })
  const proxy = await serve(tier)
  afterTest(() => proxy.close())
  const { $: handle, members } = result as { $: string; members: { pid: number } }
  const spanned = peer.heard.flatMap(({ method, params }) =>
    method === 'tier.nodes' ? (params as [string[]])[0] : []
  )
  const nodes = [handle.slice(0, handle.indexOf('/')), ...spanned]
  return { host, proxy, key, handle, nodes, pid: members.pid }
}

for (const [name, over] of tiers)
  for (const isFirstThere of [true, false])
    test(`a session on ${name} that comes ${isFirstThere ? 'twice at once' : 'again before its first connection was answered'} is revived once`, async () => {
      const { host, proxy, key, handle, nodes, pid } = await stage(over)
      const peers = await Promise.all([1, 2, 3].map(() => raw(proxy.url)))
      const [last] = peers.slice(-1)
      for (const peer of peers) {
        const params = [{ ...key, received: null, resume: true }]
        peer.send({ jsonrpc: '2.0', id: 0, method: 'tier.open', params })
        if (!isFirstThere && peer !== last) peer.socket.terminate()
      }
      const open = await until(() =>
        peers.find(({ heard, socket }) => heard.length && socket.readyState === socket.OPEN)
      )
      await until(() => proxy.sessions === 1)
      if (isFirstThere)
        await until(
          () => peers.filter(({ socket }) => socket.readyState === socket.OPEN).length === 1
        )
      const there = peers.find(({ socket }) => socket.readyState === socket.OPEN)!
      assert.ok(isFirstThere || there === open)
      const { result } = await there.call('tier.recall', { nodes })
      assert.equal(result, { count: 1 })
      assert.ok((await there.call('Worker.dump', handle)).result)
      assert.ok(isAlive(pid))
      assert.ok(host.sessions)
    })

test.run()
