// tier.openPipe, and Consumers that are asked for right behind the Producer that a pipe brings.

import { randomUUID } from 'node:crypto'
import * as localMediasoup from 'mediasoup'
import type * as ms from 'mediasoup/types'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Announcement } from '../../../lib/codec.ts'
import { codes } from '../../../lib/errors.ts'
import { type Limits, leaf, serve } from '../../../server/index.ts'
import { afterTest, audio, cleanUp, opus, raw } from '../../helper.ts'

cleanUp(test)

/** A Router on a leaf, with a transport that has a Producer. */
async function stage(limits: Partial<Limits> = {}) {
  const server = await serve(leaf(localMediasoup), { limits })
  afterTest(() => server.close())
  const peer = await raw(server.url)
  const make = async (method: string, ...params: unknown[]) =>
    (await peer.call(method, ...params)).result as Announcement
  const { $: worker } = await make('mediasoup.createWorker')
  const { $: router } = await make('Worker.createRouter', worker, { mediaCodecs: [opus] })
  const { $: transport } = await make('Router.createDirectTransport', router)
  const producer = await make('DirectTransport.produce', transport, audio())
  const dump = async () => (await peer.call('Router.dump', router)).result as ms.RouterDump
  return { peer, make, router, transport, producer, dump }
}

test('one call makes the end of a pipe where the host takes pipes, and the Consumer on it', async () => {
  const { peer, router, producer, dump } = await stage()
  const producerId = producer.members.id
  const { result } = await peer.call('tier.openPipe', router, { enableRtx: true }, { producerId })
  const { $, kind, of, members, consumer, loopback } = result as Announcement & {
    consumer: Announcement
    loopback: string
  }
  assert.equal([kind, of, consumer.kind, consumer.of], ['PipeTransport', router, 'Consumer', $])
  assert.is((members.tuple as ms.TransportTuple).localAddress, '127.0.0.1')
  assert.is(consumer.members.producerId, producerId)
  assert.type(loopback, 'string')
  assert.is((await dump()).transportIds.length, 2)
  assert.not.ok(peer.heard.some(({ method }) => /\.new/.test(String(method))))
})

test('a Producer that there is not leaves no end of a pipe behind', async () => {
  const { peer, router, dump } = await stage()
  const { error } = await peer.call('tier.openPipe', router, {}, { producerId: 'no such' })
  assert.equal(error, {
    code: codes.mediasoup,
    message: 'Producer with id "no such" not found',
    data: { name: 'NotFoundError' }
  })
  assert.is((await dump()).transportIds.length, 1)
})

test('that it is not there is said first, whatever else is wrong', async () => {
  const { peer, router } = await stage()
  const settings = { listenInfo: { protocol: 'udp', ip: '192.0.2.1' } }
  const { error } = await peer.call('tier.openPipe', router, settings, { producerId: 'no such' })
  assert.is(error?.data?.name, 'NotFoundError')
})

test('both objects count for the limits of a session', async () => {
  const { peer, router, producer } = await stage({ consumers: 1 })
  const open = () => peer.call('tier.openPipe', router, {}, { producerId: producer.members.id })
  assert.ok((await open()).result)
  assert.is((await open()).error?.message, 'a session has at most 1 consumers')
})

/** Asks for a Producer on a pipe, and right behind it for a Consumer of it elsewhere. */
async function produceAndConsume(
  { peer, make, router, transport, producer }: Awaited<ReturnType<typeof stage>>,
  id: string,
  kind = 'audio'
) {
  const { $: pipe } = await make('tier.openPipe', router, {})
  const { result } = await peer.call(
    'tier.openPipe',
    router,
    {},
    { producerId: producer.members.id }
  )
  const { rtpParameters } = (result as { consumer: Announcement }).consumer.members
  peer.send({
    jsonrpc: '2.0',
    id: 'produce',
    method: 'PipeTransport.produce',
    params: [pipe, { id, kind, rtpParameters }]
  })
  const rtpCapabilities = { codecs: [opus] }
  const consumed = await peer.call('DirectTransport.consume', transport, {
    producerId: id,
    rtpCapabilities
  })
  const produced = peer.heard.findLast(({ id }) => id === 'produce')!
  const isInOrder = peer.heard.indexOf(produced) < peer.heard.indexOf(consumed)
  return { consumed, produced, isInOrder }
}

test('a Consumer waits for the Producer that a pipe is bringing', async () => {
  const id = randomUUID()
  const { consumed, isInOrder } = await produceAndConsume(await stage(), id)
  assert.is((consumed.result as Announcement).members.producerId, id)
  assert.ok(isInOrder)
})

test('when that does not come, the Consumer fails with the same error', async () => {
  const { consumed, produced } = await produceAndConsume(await stage(), randomUUID(), 'no such')
  assert.ok(produced.error)
  assert.equal(consumed.error, produced.error)
})

test('when there is one of the same id already, the Consumer is of that one', async () => {
  const here = await stage()
  const id = String(here.producer.members.id)
  const { consumed, produced } = await produceAndConsume(here, id)
  assert.ok(produced.error)
  assert.is((consumed.result as Announcement).members.producerId, id)
})

test.run()
