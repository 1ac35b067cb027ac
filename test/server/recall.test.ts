// What a leaf says to a client that has forgotten all.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { audio, cleanUp, opus, raw, startLeaf, until } from '../helper.ts'

cleanUp(test)

test('what a call changes after all that there is was told, is told, though the call is not answered', async () => {
  const { url } = await startLeaf()
  const peer = await raw(url)
  const create = async (method: string, ...params: unknown[]) => (await peer.call(method, ...params)).result as { $: string; members: { id: string; rtpCapabilities: unknown } }
  const worker = await create('mediasoup.createWorker')
  const router = await create('Worker.createRouter', worker.$, { mediaCodecs: [opus] })
  const transport = await create('Router.createDirectTransport', router.$)
  const producer = await create('DirectTransport.produce', transport.$, audio())
  const consumer = await create('DirectTransport.consume', transport.$, { producerId: producer.members.id, rtpCapabilities: router.members.rtpCapabilities })

  peer.send({ jsonrpc: '2.0', id: 1, method: 'Consumer.setPriority', params: [consumer.$, 5] })
  const { result } = await peer.call('tier.recall')
  const told = (result as { $: string; members: { priority: number } }[]).find(({ $ }) => $ === consumer.$)!
  assert.is(told.members.priority, 1, 'the worker was asked, and has not answered')
  const { params } = await until(() => peer.heard.find(({ method }) => method === 'Consumer.live'))
  assert.equal(params, [consumer.$, { priority: 5 }])
  assert.not.ok(peer.heard.some(({ id }) => id === 1))
})

test.run()
