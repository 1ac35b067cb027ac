// A host has at most as many Workers as its operator says, whoever asks for them and how.

import * as localMediasoup from 'mediasoup'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { LimitError, client } from '../../../client/index.ts'
import { codes } from '../../../lib/errors.ts'
import type { Tier } from '../../../lib/index.ts'
import { horizontal, vertical } from '../../../proxy/index.ts'
import { leaf } from '../../../server/index.ts'
import { afterTest, cleanUp, until } from '../../helper.ts'

cleanUp(test)

async function use(tier: Tier) {
  const mediasoup = await client(tier)
  afterTest(() => mediasoup.close())
  return mediasoup
}

/** The Workers that were made, and that all others were refused. */
async function made<T>(calls: Promise<T>[], message = 'the host may have 2 Workers, and has them') {
  const results = await Promise.allSettled(calls)
  for (const result of results)
    if (result.status === 'rejected') {
      assert.instance(result.reason, LimitError)
      assert.equal([result.reason.code, result.reason.message], [codes.exhausted, message])
    }
  return results.flatMap(result => (result.status === 'fulfilled' ? [result.value] : []))
}

for (const shareWorkers of [false, true]) {
  const how = shareWorkers ? 'that sessions share' : 'of its own for each session'
  test(`there are no more Workers ${how} than the host may have`, async () => {
    const tier = leaf(localMediasoup, { shareWorkers, maxWorkers: 2, linger: 1_000_000 })
    afterTest(() => tier.close())
    const sessions = await Promise.all([use(tier), use(tier)])
    let port = 10_000
    // With settings of its own, each needs another process.
    const calls = [0, 1, 0, 1, 0, 1].map(i =>
      sessions[i]!.createWorker({ rtcMinPort: ++port, logLevel: 'none' })
    )
    const workers = await made(calls)
    assert.is(workers.length, 2)
    assert.is(new Set(workers.map(({ pid }) => pid)).size, 2)
    assert.is((await sessions[0].connection.getLoad()).workers, 2)
    // Also one that stays for a while, shared by nobody, makes room.
    workers[0]!.close()
    const worker = await until(() =>
      sessions[1].createWorker({ rtcMinPort: ++port }).catch(() => false as const)
    )
    assert.ok(await worker.dump())
    assert.equal(await made([sessions[0].createWorker({ rtcMinPort: ++port })]), [])
  })
}

test('a cluster goes on to a host that has room', async () => {
  const hosts = [1, 2, 3].map(() => leaf(localMediasoup, { maxWorkers: 1 }))
  const cluster = horizontal(hosts)
  afterTest(() => cluster.close())
  await until(() => cluster.load.capacity === 3)
  const mediasoup = await use(cluster)
  const workers = await made(
    [1, 2, 3, 4, 5].map(() => mediasoup.createWorker()),
    'the host may have 1 Workers, and has them'
  )
  assert.is(workers.length, 3)
})

test('a spanning Router grows no further than its host may have Workers', async () => {
  const tier = vertical(leaf(localMediasoup, { maxWorkers: 2 }), {
    policy: 'scatter',
    maxWorkers: 4
  })
  const [one, other] = [await use(tier), await use(tier)]
  const router = await (await one.createWorker()).createRouter()
  const transports = []
  for (let i = 0; i < 4; i++) transports.push(await router.createDirectTransport())
  const places = await Promise.all(transports.map(transport => one.connection.locate(transport)))
  assert.is(new Set(places.map(({ pid }) => pid)).size, 2)
  assert.equal(await made([other.createWorker()]), [])
})

test.run()
