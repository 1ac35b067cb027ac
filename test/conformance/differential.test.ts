// Random programs do the same on plain mediasoup and on the tiers of one host, and of a cluster;
// differential-hosts.test.ts has the tiers whose Routers span hosts.
//
//   DIFFERENTIAL_TIER=leaf DIFFERENTIAL_RUNS=10000 DIFFERENTIAL_SEED=2 node test/conformance/differential.test.ts

import * as mediasoup from 'mediasoup'
import type * as ms from 'mediasoup/types'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { differential } from '../../conformance/differential/index.ts'
import { leaf, serve } from '../../server/index.ts'
import { agree, only, runs, seed } from './agree.ts'

agree('mock', 'leaf', 'shared', 'horizontal', 'vertical', 'scatter')

if (!only)
  test('plain mediasoup agrees with itself, so what differs is the tier', async () => {
    const { agrees, text } = await differential({ tier: 'plain', runs: Math.ceil(runs / 10), seed })
    assert.ok(agrees, text)
  })

if (!only)
  test('a tier that differs is found out, with a program that shows no more than that', async () => {
    const server = await serve(
      leaf({ ...mediasoup, createWorker: createLazyWorker as typeof mediasoup.createWorker })
    )
    const { agrees, program, difference, flaky, text } = await differential({
      tier: server.url,
      seed: 1
    })
    await server.close()
    assert.not.ok(agrees)
    assert.not.ok(flaky)
    assert.equal(
      program?.map(({ on, member }) => [on.ref, member]),
      [['Producer', 'pause']]
    )
    assert.is(difference?.step, 1)
    assert.match(text, 'differs from plain mediasoup after <Producer 0>.pause(), in ')
  })

/** Its Producers do nothing when they are to pause. */
async function createLazyWorker(settings: ms.WorkerSettings) {
  const worker = await mediasoup.createWorker(settings)
  worker.observer.on('newrouter', router =>
    router.observer.on('newtransport', transport =>
      transport.observer.on('newproducer', producer => {
        producer.pause = async () => {}
      })
    )
  )
  return worker
}

test('a tier of an unknown name is an error that lists the known ones', async () => {
  const error = await differential({ tier: 'sideways' }).catch(error => error)
  assert.match(error.message, 'there is no tier sideways: choose from ')
})

test.run()
