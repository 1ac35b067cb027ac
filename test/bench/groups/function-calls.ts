// How many function calls of the product one call takes, from the client through an aggregated tree
// to the leaf and back, all in this process: what each tier does anew for a frame shows here, also
// where a clock is too coarse.

import * as mediasoup from 'mediasoup'
import { Session } from 'node:inspector/promises'
import { type Group, quick, row } from '../measure.ts'
import { connect, horizontal, leaf, remote, serve, vertical } from '../../kit/product.ts'
import { openStage } from '../../kit/room.ts'

const CALLS = quick ? 5 : 50
const TARGET_CALLS = 400
const PRODUCT = /\/dist\/[^/]*\.js$/

export const functionCalls: Group = {
  name: 'function-calls',
  about: `function calls of the product for one call through a vertical tier over a cluster of two leaves; mean of ${CALLS}`,

  async run() {
    const leaves = [await serve(leaf(mediasoup)), await serve(leaf(mediasoup))]
    const cluster = horizontal(leaves.map(({ url }) => remote(url)))
    const server = await serve(vertical(cluster))
    const stage = await openStage(await connect(server.url))
    const target = { of: 'value', atMost: TARGET_CALLS } as const
    const consume = await countCalls(() => stage.consume(stage.producers[1]))
    const getStats = await countCalls(() => stage.consumer.getStats())
    stage.worker.close()
    await server.close()
    cluster.close()
    await Promise.all(leaves.map(each => each.close()))
    return [
      row({ what: 'consume()', unit: 'calls', samples: [{ value: consume }], target }),
      row({ what: 'Consumer.getStats()', unit: 'calls', samples: [{ value: getStats }] })
    ]
  }
}

/** The mean of all calls, by V8's own count. */
async function countCalls(call: () => Promise<unknown>): Promise<number> {
  for (let i = 0; i < CALLS; i++) await call()
  const session = new Session()
  session.connect()
  await session.post('Profiler.enable')
  await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
  await session.post('Profiler.takePreciseCoverage') // Starts to count from 0.
  for (let i = 0; i < CALLS; i++) await call()
  const { result } = await session.post('Profiler.takePreciseCoverage')
  await session.post('Profiler.stopPreciseCoverage')
  session.disconnect()
  const counts = result
    .filter(({ url }) => PRODUCT.test(url))
    .flatMap(({ functions }) => functions.map(({ ranges }) => ranges[0]!.count))
  return counts.reduce((sum, count) => sum + count, 0) / CALLS
}
