// A tier between others reads frames in whatever way JSON lets them be written, and answers each
// request once, as a leaf does.

import * as localMediasoup from 'mediasoup'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { remote } from '../../client/index.ts'
import type { Tier } from '../../lib/tier.ts'
import { horizontal, vertical } from '../../proxy/index.ts'
import { leaf, serve } from '../../server/index.ts'
import { afterTest, cleanUp, opus, raw, startLeaf, until } from '../helper.ts'

cleanUp(test)

async function startCluster() {
  const leaves = await Promise.all([startLeaf(), startLeaf()])
  const tier = horizontal(leaves.map(({ url }) => remote(url)))
  afterTest(() => tier.close())
  await until(() => tier.load.capacity > 0)
  return tier
}

const tiers: [name: string, start: () => Tier | Promise<Tier>][] = [
  ['a cluster', startCluster],
  ['a spanning tier', () => vertical(leaf(localMediasoup))]
]

/** A peer of a tier, with a Worker and a Router. */
async function openPeer(tier: Tier) {
  const server = await serve(tier)
  afterTest(() => server.close())
  const peer = await raw(server.url)
  const { $: worker } = (await peer.call('mediasoup.createWorker', {})).result as { $: string }
  const { $: router } = (await peer.call('Worker.createRouter', worker, { mediaCodecs: [opus] }))
    .result as { $: string }
  return { ...peer, worker, router }
}

for (const [name, start] of tiers) {
  test(`${name} answers requests in other ways of writing JSON`, async () => {
    const peer = await openPeer(await start())
    const params = JSON.stringify([peer.router])
    const ways: [id: unknown, frame: string][] = [
      [-1, `{"jsonrpc":"2.0","id":-1,"method":"Router.dump","params":${params}}`],
      [0.5, `{"jsonrpc":"2.0","id":0.5,"method":"Router.dump","params":${params}}`],
      [
        1e21,
        `{"jsonrpc":"2.0","id":1000000000000000000000,"method":"Router.dump","params":${params}}`
      ],
      ['a"\\', `{"jsonrpc":"2.0","id":"a\\"\\\\","method":"Router.dump","params":${params}}`],
      ['last', `{"jsonrpc":"2.0","method":"Router.dump","params":${params},"id":"last"}`],
      [
        'slash',
        `{"jsonrpc":"2.0","id":"slash","method":"Router.dump","params":${params.replace('/', '\\/')}}`
      ],
      [
        'space',
        `{ "jsonrpc": "2.0", "id": "space", "method": "Router.dump", "params": [ ${params.slice(1)} }`
      ],
      [
        'unicode',
        `{"jsonrpc":"2.0","id":"unicode","method":"\\u0052outer.dump","params":${params}}`
      ]
    ]
    for (const [id, frame] of ways) {
      const answer = await peer.answer(frame)
      assert.is(answer.id, id)
      assert.is(answer.error, undefined, frame)
    }
  })

  test(`${name} refuses a consume that cannot be read, and goes on`, async () => {
    const peer = await openPeer(await start())
    const { $: transport } = (await peer.call('Router.createDirectTransport', peer.router, {}))
      .result as { $: string }
    const ways = ['{"a":01}', '{"a":tru}', '{"a":"\\x"}', '{"a" 1}', '{]}', 'null']
    for (const params of ways.map(options => `["${transport}",${options}]`)) {
      const { error } = await peer.answer(
        `{"jsonrpc":"2.0","id":"wrong","method":"DirectTransport.consume","params":${params}}`
      )
      assert.ok(error, params)
    }
    assert.is((await peer.call('Router.dump', peer.router)).error, undefined)
  })

  test(`${name} refuses what its leaf would read in another way`, async () => {
    const peer = await openPeer(await start())
    const { router } = peer
    const contradiction = `{"jsonrpc":"2.0","id":7,"method":"Router.dump","params":["${router}"],"method":"mediasoup.createWorker","params":[{}]}`
    const { id, error } = await peer.answer(contradiction)
    assert.equal([id, error?.code], [7, -32600])
    assert.is((await peer.call('Router.dump', router)).error, undefined)
  })

  test(`${name} answers with null what is sent as a request although it is not answered`, async () => {
    const peer = await openPeer(await start())
    const { worker, router } = peer
    const call = (method: string, ...params: unknown[]) => peer.call(method, ...params)
    const { $: server } = (
      await call('Worker.createWebRtcServer', worker, {
        listenInfos: [{ protocol: 'udp', ip: '127.0.0.1' }]
      })
    ).result as { $: string }
    assert.is((await call('Router.updateMediaCodecs', router, [opus])).result, null)
    assert.is((await call('WebRtcServer.close', server)).result, null)
    assert.is((await call('Router.close', router)).result, null)
    assert.is((await call('Worker.close', worker)).result, null)
  })

  test(`${name} refuses tier.log as a request, an id that is null, and a path of tiers that is none`, async () => {
    const peer = await openPeer(await start())
    assert.is((await peer.call('tier.log', ['warn'])).error?.code, -32601)
    const { id, error } = await peer.answer({
      jsonrpc: '2.0',
      id: null,
      method: 'Router.dump',
      params: ['nobody/1']
    })
    assert.equal([id, error?.code], [null, -32600])
    for (const via of [7, 'node', [7], Array(65).fill('node')])
      assert.is((await peer.call('tier.hello', { via })).error?.code, -32602)
  })
}

test.run()
