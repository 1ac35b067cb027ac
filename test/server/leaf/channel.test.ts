// A call whose arguments mediasoup cannot encode fails alone: no later call on any Worker fails
// because of it.

import * as localMediasoup from 'mediasoup'
import type * as ms from 'mediasoup/types'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type RemoteMediasoup, client } from '../../../client/index.ts'
import { isolateMessages } from '../../../server/leaf/channel.ts'
import { leaf } from '../../../server/index.ts'
import { afterTest, audio, cleanUp, opus, rejection } from '../../helper.ts'

cleanUp(test)

const wrong = {
  protocol: 'udp',
  ip: '127.0.0.1',
  sendBufferSize: { $: 'bigint', value: '1' }
} as unknown as ms.TransportListenInfo

/** Two Workers with a Router each. */
async function furnish(mediasoup: RemoteMediasoup) {
  const workers = [await mediasoup.createWorker(), await mediasoup.createWorker()]
  const routers = await Promise.all(
    workers.map(worker => worker.createRouter({ mediaCodecs: [opus] }))
  )
  return { workers, routers }
}

for (const shareWorkers of [true, false]) {
  const whose = shareWorkers ? 'another session' : 'the same session'
  test(`a pipe whose arguments are wrong breaks no call of ${whose} on either Worker`, async () => {
    const tier = leaf(localMediasoup, { shareWorkers, poolSize: 2, linger: 0 })
    const open = async () => {
      const mediasoup = await client(tier)
      afterTest(() => mediasoup.close())
      return furnish(mediasoup)
    }
    const {
      workers: [, farWorker],
      routers
    } = await open()
    const near = routers[0]!
    const others = shareWorkers ? (await open()).routers : routers
    const { id: producerId } = await (await near.createDirectTransport()).produce(audio())
    for (let i = 0; i < 5; i++) {
      // A pair of Routers whose first pipe failed is never piped again by mediasoup.
      const router = await farWorker!.createRouter()
      const error = await rejection(near.pipeToRouter({ producerId, router, listenInfo: wrong }))
      assert.match(error.message, 'BigInt')
      for (const other of others) await other.dump()
    }
  })
}

test('calls that arrive with one that fails are answered', async () => {
  const mediasoup = await client(leaf(localMediasoup))
  afterTest(() => mediasoup.close())
  const {
    routers: [near, far]
  } = await furnish(mediasoup)
  const producer = await (await near!.createDirectTransport()).produce(audio())
  const calls = [
    near!.pipeToRouter({ producerId: producer.id, router: far!, listenInfo: wrong }),
    far!.dump(),
    near!.createPlainTransport({ listenInfo: wrong }),
    near!.dump(),
    far!.createDirectTransport()
  ]
  const outcomes = await Promise.allSettled(calls)
  assert.equal(
    outcomes.map(({ status }) => status),
    ['rejected', 'fulfilled', 'rejected', 'fulfilled', 'fulfilled']
  )
})

test('what follows half a message in the same turn is encoded as if there was none', async () => {
  const worker = await isolateMessages(await localMediasoup.createWorker())
  afterTest(() => worker.close())
  interface Builder {
    startObject(fields: number): void
    createString(text: string): number
    clear(): void
    asUint8Array(): Uint8Array
  }
  const encoded: string[] = []
  const item = {
    pack(builder: Builder) {
      const encode = () => {
        builder.createString('text')
        return Buffer.from(builder.asUint8Array()).toString('hex')
      }
      builder.clear()
      encoded.push(encode())
      builder.startObject(1) // And it is not ended.
      encoded.push(encode())
      throw new Error('this is not sent')
    }
  }
  await rejection(worker.updateSettings({ logTags: [item as unknown as ms.WorkerLogTag] }))
  const [whole, after] = encoded
  assert.is(after, whole)
  assert.ok(whole)
  await worker.createRouter()
})

test('a new Worker has made nothing that its process could observe', async () => {
  const heard: string[] = []
  const onWorker = (worker: ms.Worker) => {
    worker.observer.on('newrouter', () => heard.push('newrouter'))
    afterTest(() => worker.observer.removeAllListeners('newrouter'))
  }
  localMediasoup.observer.on('newworker', onWorker)
  afterTest(() => localMediasoup.observer.off('newworker', onWorker))
  for (const shareWorkers of [true, false]) {
    const mediasoup = await client(leaf(localMediasoup, { shareWorkers, linger: 0 }))
    afterTest(() => mediasoup.close())
    await mediasoup.createWorker()
  }
  assert.equal(heard, [])
})

test.run()
