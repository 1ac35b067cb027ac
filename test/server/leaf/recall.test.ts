// What a leaf says to a client that has forgotten all.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Recalled } from '../../../lib/recall.ts'
import { audio, cleanUp, opus, raw, startLeaf, until } from '../../helper.ts'

cleanUp(test)

test('what a call changes after all that there is was told, is told, though nobody knows what came of the call', async () => {
  const { url } = await startLeaf()
  const peer = await raw(url)
  const create = async (method: string, ...params: unknown[]) =>
    (await peer.call(method, ...params)).result as {
      $: string
      members: { id: string; rtpCapabilities: unknown }
    }
  const worker = await create('mediasoup.createWorker')
  const router = await create('Worker.createRouter', worker.$, { mediaCodecs: [opus] })
  const transport = await create('Router.createDirectTransport', router.$)
  const producer = await create('DirectTransport.produce', transport.$, audio())
  const consumer = await create('DirectTransport.consume', transport.$, {
    producerId: producer.members.id,
    rtpCapabilities: router.members.rtpCapabilities
  })

  peer.send({ jsonrpc: '2.0', id: 1, method: 'Consumer.setPriority', params: [consumer.$, 5] })
  const [node] = consumer.$.split('/')
  const { result } = await peer.call('tier.recall', { nodes: [node], members: ['producerId'] })
  const [{ entries, done }] = peer.heard.find(({ method }) => method === 'tier.recalled')!
    .params as [Recalled]
  assert.equal(
    entries.map(([handle]) => handle),
    [worker, router, transport, producer, consumer].map(({ $ }) => $)
  )
  assert.equal(done, [node])
  assert.equal(result, { count: 5 })
  const [, kind, of, live, members] = entries.at(-1)!
  assert.equal([kind, of, members], ['Consumer', transport.$, { producerId: producer.members.id }])
  assert.is(live.priority, 1, 'the worker was asked, and has not answered')
  const { params } = await until(() => peer.heard.find(({ method }) => method === 'Consumer.live'))
  assert.equal(params, [consumer.$, { priority: 5 }])
  assert.is(peer.heard.find(({ id }) => id === 1)!.error!.data!.name, 'UnknownOutcomeError')
})

test('a leaf tells nothing of nodes that are not its own, and what its peer did not name', async () => {
  const { url } = await startLeaf()
  const peer = await raw(url)
  const { result: worker } = await peer.call('mediasoup.createWorker', { appData: { mine: true } })
  const { $ } = worker as { $: string }
  assert.equal((await peer.call('tier.recall', { nodes: ['another'] })).result, { count: 0 })
  assert.equal((await peer.call('tier.recall', { nodes: [$.split('/')[0]] })).result, { count: 1 })
  const told = peer.heard
    .filter(({ method }) => method === 'tier.recalled')
    .map(({ params }) => params)
  assert.is((told as [Recalled][])[0]![0].entries.length, 0)
  assert.equal((told as [Recalled][])[1]![0].entries, [
    [$, 'Worker', null, { died: false, subprocessClosed: false }]
  ])
  for (const params of [
    [],
    [{}],
    [{ nodes: 'k3x' }],
    [{ nodes: [1] }],
    [{ nodes: [], members: 'id' }]
  ]) {
    assert.is((await peer.call('tier.recall', ...params)).error!.code, -32602)
  }
})

test('many recalls at once of a session leave other sessions their turns', async () => {
  const { url } = await startLeaf()
  const [peer, other] = [await raw(url), await raw(url)]
  const made = async (method: string, ...params: unknown[]) =>
    ((await peer.call(method, ...params)).result as { $: string }).$
  const worker = await made('mediasoup.createWorker')
  const router = await made('Worker.createRouter', worker)
  const COUNT = 100
  const RECALLS = 60
  for (let id = 0; id < COUNT; id++)
    peer.send({
      jsonrpc: '2.0',
      id,
      method: 'Router.createActiveSpeakerObserver',
      params: [router, {}]
    })
  await until(() => peer.heard.length === COUNT + 2)
  const nodes = [worker.split('/')[0]]
  for (let id = 0; id < RECALLS; id++)
    peer.send({ jsonrpc: '2.0', id: `recall ${id}`, method: 'tier.recall', params: [{ nodes }] })
  const answered = () => peer.heard.filter(({ id }) => String(id).startsWith('recall')).length
  await other.call('tier.hello')
  const before = answered()
  assert.ok(before < RECALLS / 2, `${before} recalls came before`)
  await until(() => answered() === RECALLS)
  for (const { id, result } of peer.heard)
    if (String(id).startsWith('recall')) assert.equal(result, { count: COUNT + 2 })
})

test.run()
