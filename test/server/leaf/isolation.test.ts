// A session knows nothing of another one: its handles are as unknown as any that never was.

import * as localMediasoup from 'mediasoup'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { remote } from '../../../client/index.ts'
import { methods } from '../../../lib/methods.ts'
import type { Tier } from '../../../lib/tier.ts'
import { horizontal, vertical } from '../../../proxy/index.ts'
import { leaf, serve } from '../../../server/index.ts'
import { afterTest, audio, cleanUp, opus, raw, startLeaf } from '../../helper.ts'

type Peer = Awaited<ReturnType<typeof raw>>

cleanUp(test)

async function create(peer: Peer, method: string, ...params: unknown[]) {
  const { result, error } = await peer.call(method, ...params)
  assert.is(error, undefined)
  return result as { $: string; members: { id: string; rtpCapabilities: unknown } }
}

/** A session with an object of each kind that needs no socket. */
async function stage(url: string) {
  const peer = await raw(url)
  await peer.call('tier.hello') // A cluster waits for its first host.
  const worker = await create(peer, 'mediasoup.createWorker', {})
  const router = await create(peer, 'Worker.createRouter', worker.$, { mediaCodecs: [opus] })
  const listenInfo = { protocol: 'udp', ip: '127.0.0.1' }
  const transport = await create(peer, 'Router.createDirectTransport', router.$, {})
  const producer = await create(peer, 'DirectTransport.produce', transport.$, audio())
  const dataProducer = await create(peer, 'DirectTransport.produceData', transport.$, {})
  const handles: Record<string, string> = {
    Worker: worker.$,
    Router: router.$,
    DirectTransport: transport.$,
    Producer: producer.$,
    DataProducer: dataProducer.$,
    Consumer: (
      await create(peer, 'DirectTransport.consume', transport.$, {
        producerId: producer.members.id,
        rtpCapabilities: router.members.rtpCapabilities
      })
    ).$,
    DataConsumer: (
      await create(peer, 'DirectTransport.consumeData', transport.$, {
        dataProducerId: dataProducer.members.id
      })
    ).$,
    WebRtcServer: (
      await create(peer, 'Worker.createWebRtcServer', worker.$, { listenInfos: [listenInfo] })
    ).$,
    WebRtcTransport: (
      await create(peer, 'Router.createWebRtcTransport', router.$, { listenInfos: [listenInfo] })
    ).$,
    PlainTransport: (await create(peer, 'Router.createPlainTransport', router.$, { listenInfo })).$,
    PipeTransport: (await create(peer, 'Router.createPipeTransport', router.$, { listenInfo })).$,
    AudioLevelObserver: (await create(peer, 'Router.createAudioLevelObserver', router.$, {})).$,
    ActiveSpeakerObserver: (await create(peer, 'Router.createActiveSpeakerObserver', router.$, {}))
      .$
  }
  return { peer, handles }
}

const expressions: [name: string, tier: (url: string) => Tier][] = [
  ['a leaf', () => leaf(localMediasoup)],
  ['a vertical tier', url => vertical(remote(url))],
  [
    'an aggregator',
    url => {
      const cluster = horizontal([remote(url)])
      afterTest(() => cluster.close())
      return vertical(cluster)
    }
  ]
]

for (const [name, tier] of expressions) {
  test(`to every method of ${name} the handle of another session is what one is that never was`, async () => {
    const { url: below } = await startLeaf()
    const server = await serve(tier(below))
    afterTest(() => server.close())
    const owner = await stage(server.url)
    const { peer } = await stage(server.url)

    /** What is answered about a handle, without the handle itself. */
    const answerTo = async (method: string, handle: string, ...params: unknown[]) => {
      const { error, result } = await peer.call(method, handle, ...params)
      return JSON.stringify({ error, result }).replaceAll(handle, 'HANDLE')
    }
    const called = [...methods]
      .filter(([, { kind }]) => kind !== 'mediasoup')
      .map(([method, { kind }]) => [method, owner.handles[kind]!] as const)
    for (const [method, handle] of [...called, ['tier.locate', owner.handles.Router!] as const]) {
      const answer = await answerTo(method, handle, {})
      assert.match(answer, /"name":"NotFoundError"/, method)
      assert.is(answer, await answerTo(method, `${handle}000`, {}), method)
      assert.is(answer, await answerTo(method, 'no-such-node/17', {}), method)
    }
    // As an argument, too.
    const own = owner.handles.WebRtcServer!
    const router = (
      await create(
        peer,
        'Worker.createRouter',
        (
          await create(peer, 'mediasoup.createWorker', {})
        ).$,
        {}
      )
    ).$
    const [alien, random] = await Promise.all(
      [own, `${own}000`].map(async handle =>
        JSON.stringify(
          await peer
            .call('Router.createWebRtcTransport', router, { webRtcServer: { $: handle } })
            .then(({ error }) => error)
        ).replaceAll(handle, 'HANDLE')
      )
    )
    assert.match(alien!, /not found/)
    assert.is(alien, random)

    // What is one's own is closed by a request, too, and answered.
    assert.equal(
      await peer.call('Router.close', router).then(({ error, result }) => [error, result]),
      [undefined, null]
    )

    // And nothing of it has happened to the other session.
    for (const [kind, handle] of Object.entries(owner.handles))
      peer.send({ jsonrpc: '2.0', method: `${kind}.close`, params: [handle] })
    await peer.call('tier.hello')
    for (const [kind, handle] of Object.entries(owner.handles)) {
      if (methods.has(`${kind}.dump`))
        assert.is((await owner.peer.call(`${kind}.dump`, handle)).error, undefined, kind)
    }
  })
}

test.run()
