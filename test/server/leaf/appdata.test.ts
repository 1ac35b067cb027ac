// appData is the application's: whatever JSON it holds comes back the same, on every tier.

import * as localMediasoup from 'mediasoup'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { remote } from '../../../client/index.ts'
import type { Tier } from '../../../lib/index.ts'
import { horizontal, vertical } from '../../../proxy/index.ts'
import { leaf, serve } from '../../../server/index.ts'
import { afterTest, audio, cleanUp, opus, raw, until } from '../../helper.ts'

cleanUp(test)

const deep = (levels: number) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`

const texts = [
  '{"$":"price"}',
  '{"$":"bigint","value":"1"}',
  '{"x":{"$":"bigint","value":"1"}}',
  '{"$":"error","code":1,"message":"mine"}',
  '{"__proto__":{"a":1},"constructor":null}',
  '{"list":[{"$":"no-such/1"},null,[]],"toJSON":"no function"}',
  deep(25)
]

const leaves: Record<string, () => Tier> = {
  leaf: () => leaf(localMediasoup),
  'shared leaf': () => leaf(localMediasoup, { shareWorkers: true, linger: 0 }),
  vertical: () => vertical(leaf(localMediasoup))
}

function clustered(url: string): Tier {
  const cluster = horizontal([remote(url)])
  afterTest(() => cluster.close())
  return cluster
}

const above: Record<string, (url: string) => Tier> = {
  horizontal: clustered,
  aggregated: url => vertical(clustered(url))
}

async function open(tier: Tier) {
  const server = await serve(tier)
  afterTest(() => server.close())
  return server.url
}

/** Creates objects with an appData that is given as text, and answers what came back, as text. */
async function speaker(url: string) {
  const peer = await raw(url)
  await peer.call('tier.hello') // A cluster waits for its first host.
  const texts: string[] = []
  peer.socket.on('message', data => texts.push(String(data)))
  let id = 0
  return async function create(
    method: string,
    handle: string | undefined,
    options: object,
    appData: string
  ) {
    const { appData: _, ...others } = { appData: undefined, ...options }
    const params = [
      ...(handle ? [JSON.stringify(handle)] : []),
      `{"appData":${appData},${JSON.stringify(others).slice(1)}`
    ]
    const start = `{"jsonrpc":"2.0","id":${++id},`
    peer.send(
      `{"jsonrpc":"2.0","id":${id},"method":"${method}","params":[${params.join(',').replace(',}', '}')}]}`
    )
    const text = await until(() => texts.find(text => text.startsWith(start)))
    const { result, error } = JSON.parse(text)
    assert.is(error, undefined, text)
    // A vertical tier has a tag beside it, which its own clients do not see.
    const own = Object.entries(result.appData).filter(([key]) => !/^[\w-]{16}:part$/.test(key))
    return { handle: result.$ as string, result, appData: JSON.stringify(Object.fromEntries(own)) }
  }
}

for (const [name, url] of [
  ...Object.entries(leaves).map(([name, tier]) => [name, () => open(tier())] as const),
  ...Object.entries(above).map(
    ([name, tier]) => [name, async () => open(tier(await open(leaf(localMediasoup))))] as const
  )
]) {
  test(`any JSON comes back the same: ${name}`, async () => {
    const create = await speaker(await url())
    for (const text of texts) {
      const worker = await create('mediasoup.createWorker', undefined, {}, text)
      const router = await create(
        'Worker.createRouter',
        worker.handle,
        { mediaCodecs: [opus] },
        text
      )
      const transport = await create('Router.createDirectTransport', router.handle, {}, text)
      const producer = await create('DirectTransport.produce', transport.handle, audio(), text)
      const { rtpCapabilities } = router.result.members
      const consumer = await create(
        'DirectTransport.consume',
        transport.handle,
        { producerId: producer.result.members.id, rtpCapabilities },
        text
      )
      for (const { appData, result } of [worker, router, transport, producer, consumer])
        assert.is(appData, text, result.kind)
    }
  })
}

test('a reference in appData tells nothing of the object', async () => {
  const create = await speaker(await open(leaf(localMediasoup)))
  const worker = await create('mediasoup.createWorker', undefined, {}, '{}')
  const text = `{"mine":{"$":"${worker.handle}"}}`
  assert.is((await create('Worker.createRouter', worker.handle, {}, text)).appData, text)
})

test('an object whose answer cannot be written is closed, and the call fails', async () => {
  // No connection is in between, so nothing checks the depth before mediasoup has made the Router.
  const link = await leaf(localMediasoup).open()
  afterTest(() => link.close())
  const answers: {
    id: number
    result?: { $?: string; routerIds?: string[]; routers?: number }
    error?: { message: string }
  }[] = []
  link.on('frame', frame => answers.push(JSON.parse(String(frame))))
  let id = 0
  const call = async (method: string, params: string) => {
    const own = ++id
    link.send(`{"jsonrpc":"2.0","id":${own},"method":"${method}","params":${params}}`)
    return until(() => answers.find(answer => answer.id === own))
  }
  const worker = (await call('mediasoup.createWorker', '[]')).result?.$
  const { error } = await call('Worker.createRouter', `["${worker}",{"appData":${deep(100_000)}}]`)
  assert.match(String(error?.message), 'call stack')
  assert.equal((await call('Worker.dump', `["${worker}"]`)).result?.routerIds, [])
  assert.is((await call('tier.load', '[]')).result?.routers, 0)
})

test.run()
