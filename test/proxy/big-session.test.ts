// A proxy is killed under a session with many objects: it loses none of them, media goes on, and
// only calls in flight are rejected.

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type * as ms from 'mediasoup/types'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { UnknownOutcomeError, client, remote } from '../../client/index.ts'
import type { Frame, OpenOptions, Tier } from '../../lib/tier.ts'
import { startRelay } from '../relay.ts'
import { afterTest, audio, cleanUp, freePort, opus, rtp, startLeaf, until } from '../helper.ts'

cleanUp(test)

const BATCH = 1_000
const MAX_FRAME_BYTES = 256 * 1024

/** A tier, and the largest frame of a recall that came from it. */
function watched(tier: Tier) {
  const seen = { frames: 0, largest: 0 }
  const see = (frame: Frame) => {
    if (!String(frame).includes('"tier.recalled"')) return
    seen.frames++
    seen.largest = Math.max(seen.largest, Buffer.byteLength(frame))
  }
  return {
    seen,
    tier: Object.create(tier, {
      open: { value: async (options?: OpenOptions) => (await tier.open(options)).on('frame', see) }
    }) as Tier
  }
}

async function stage(...options: string[]) {
  const leaf = await startLeaf()
  const relay = await startRelay(leaf.url)
  const args = ['--listen', `127.0.0.1:${await freePort()}`, ...options, relay.url]
  const start = async () => {
    const proxy = await startLeaf(args)
    await until(() => proxy.lines.some(line => line.includes('host is up')), 30)
    return proxy
  }
  const proxy = await start()
  const { tier, seen } = watched(remote(proxy.url))
  const mediasoup = await client(tier)
  afterTest(() => mediasoup.close())
  const heard: string[] = []
  for (const event of ['lost', 'died', 'regained', 'close'] as const)
    mediasoup.connection.on(event, () => heard.push(event))
  return { mediasoup, proxy, start, seen, relay, heard }
}

/** RTP over UDP to the leaf, and from it: no proxy is between. */
async function flow(router: ms.Router) {
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const listenInfo = { protocol: 'udp', ip: '127.0.0.1' } as const
  const source = await router.createPlainTransport({ listenInfo, comedia: true, rtcpMux: true })
  const sink = await router.createPlainTransport({ listenInfo, rtcpMux: true })
  await sink.connect({ ip: '127.0.0.1', port: (socket.address() as AddressInfo).port })
  const producer = await source.produce(audio())
  await sink.consume({ producerId: producer.id, rtpCapabilities: router.rtpCapabilities })
  let [sequence, received] = [0, 0]
  socket.on('message', () => received++)
  const timer = setInterval(
    () => socket.send(rtp(sequence++), source.tuple.localPort, '127.0.0.1'),
    10
  )
  afterTest(() => {
    clearInterval(timer)
    socket.close()
  })
  return {
    more: async () => {
      const before = received
      await until(() => received > before + 20)
    }
  }
}

async function consumeMany(router: ms.Router, count: number) {
  const transport = await router.createDirectTransport()
  const { id: dataProducerId } = await transport.produceData()
  const consumers: ms.DataConsumer[] = []
  while (consumers.length < count) {
    const batch = Array.from({ length: BATCH }, () => transport.consumeData({ dataProducerId }))
    consumers.push(...(await Promise.all(batch)))
  }
  return consumers
}

for (const [name, count, options] of [
  ['a cluster', 20_000, []],
  ['a vertical tier', 5_000, ['--vertical', '--max-workers', '1']]
] as const) {
  test(`a session with ${count} Consumers on ${name} outlives the proxy`, async () => {
    const { mediasoup, proxy, start, seen, relay, heard } = await stage(...options)
    const worker = await mediasoup.createWorker()
    const router = await worker.createRouter({ mediaCodecs: [opus] })
    const { more } = await flow(router)
    await more()
    const consumers = await consumeMany(router, count)
    const events: string[] = []
    for (const consumer of consumers) {
      for (const event of ['close', 'pause', 'resume'] as const)
        consumer.observer.on(event, () => events.push(event))
    }

    proxy.child.kill('SIGSTOP')
    const calls = Array.from({ length: 100 }, () =>
      consumers[0]!.getStats().then(
        () => undefined,
        (error: Error) => error
      )
    )
    proxy.child.kill('SIGKILL')
    await proxy.exited
    await until(() => heard.includes('lost'))
    const waiting = consumers.slice(0, 100).map(consumer => consumer.getStats())
    await more()
    await start()
    await until(() => heard.at(-1) === 'regained', 60)
    await more()
    assert.equal(heard, ['lost', 'regained'])
    assert.equal(events, [])
    assert.not.ok(worker.closed)
    for (const error of await Promise.all(calls))
      if (error) assert.instance(error, UnknownOutcomeError)
    assert.is((await Promise.all(waiting)).length, 100)
    assert.ok(seen.frames > 1)
    assert.ok(seen.largest <= MAX_FRAME_BYTES, `${seen.largest}`)
    assert.ok(relay.frames.largest <= MAX_FRAME_BYTES + 10, `${relay.frames.largest}`)
    consumers[0]!.close()
    const dump = await router.dump()
    assert.is(dump.mapDataProducerIdDataConsumerIds[0]!.values.length, count - 1)
  })
}

test.run()
