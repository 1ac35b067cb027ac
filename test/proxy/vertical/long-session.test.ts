// A session that lives long, on a vertical tier: what it opens and closes leaves nothing there. The
// Workers are simulated.

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { FakeLeaf } from '../../kit/fake-leaf.ts'
import { client } from '../../../client/index.ts'
import { vertical } from '../../../proxy/index.ts'
import { afterTest, audio, cleanUp, opus } from '../../helper.ts'

cleanUp(test)
setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

// So many that what is kept of the last closed objects is as much before as after.
const WARM_UP = 600
const ROUNDS = 1_500
/** Less than any object has, and more than a heap is off by. */
const MOST_BYTES = 150

/**
 * What a round leaves in the heap, of which the client's and the simulated leaf's is a part, in
 * bytes.
 */
async function left(round: () => Promise<unknown>): Promise<number> {
  for (let i = 0; i < WARM_UP; i++) await round()
  const before = await heap()
  for (let i = 0; i < ROUNDS; i++) await round()
  return ((await heap()) - before) / ROUNDS
}

async function heap() {
  for (let i = 0; i < 3; i++) {
    await new Promise(setImmediate)
    collect()
  }
  return process.memoryUsage().heapUsed
}

async function stage() {
  const leaf = new FakeLeaf(8)
  afterTest(() => leaf.close())
  const mediasoup = await client(vertical(leaf, { policy: 'scatter', maxWorkers: 2, linger: 0 }))
  afterTest(() => mediasoup.close())
  const [worker, other] = [await mediasoup.createWorker(), await mediasoup.createWorker()]
  const router = await worker.createRouter({ mediaCodecs: [opus] })
  const producer = await (await router.createDirectTransport()).produce(audio())
  return {
    worker,
    other,
    router,
    options: { producerId: producer.id, rtpCapabilities: router.rtpCapabilities }
  }
}

test('Routers that are closed leave nothing', async () => {
  const { worker } = await stage()
  const bytes = await left(async () => (await worker.createRouter({ mediaCodecs: [opus] })).close())
  assert.ok(bytes < MOST_BYTES, `${bytes} bytes`)
})

test('nor do Routers to which one that stays was piped', async () => {
  const {
    other,
    router,
    options: { producerId }
  } = await stage()
  const bytes = await left(async () => {
    const room = await other.createRouter({ mediaCodecs: [opus] })
    await router.pipeToRouter({ producerId, router: room })
    room.close()
  })
  assert.ok(bytes < MOST_BYTES, `${bytes} bytes`)
})

test('nor do participants of a Router that stays, whose Consumers are piped', async () => {
  const { router, options } = await stage()
  const bytes = await left(async () => {
    const transport = await router.createDirectTransport()
    await transport.produce(audio())
    await transport.consume(options)
    transport.close()
  })
  assert.ok(bytes < MOST_BYTES, `${bytes} bytes`)
})

test('nor does what is made while its parent is closed', async () => {
  const { worker, router, options } = await stage()
  const bytes = await left(async () => {
    const [transport, room] = [
      await router.createDirectTransport(),
      await worker.createRouter({ mediaCodecs: [opus] })
    ]
    const calls = [
      transport.produce(audio()),
      transport.consume(options),
      room.createDirectTransport()
    ]
    transport.close()
    room.close()
    await Promise.allSettled(calls)
  })
  assert.ok(bytes < MOST_BYTES, `${bytes} bytes`)
})

test.run()
