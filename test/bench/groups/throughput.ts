// Calls per second, with 64 in flight. DirectTransport.connect() does not reach the worker: it is
// what the protocol costs.

import * as localMediasoup from 'mediasoup'
import { Durations } from '../../kit/durations.ts'
import { startEcho } from '../../kit/echo-client.ts'
import { type Group, inFlight, rounds, row, quick } from '../measure.ts'
import { end, startLeaf } from '../processes.ts'
import { connect } from '../../kit/product.ts'
import { openStage } from '../../kit/room.ts'
import { tappedMock } from '../tap.ts'

const ROUNDS = 9
const ROUND_MS = quick ? 50 : 400
const IN_FLIGHT = 64

const measure = (call: () => Promise<unknown>) => () =>
  inFlight(new Durations(), IN_FLIGHT, ROUND_MS, call)

export const throughput: Group = {
  name: 'throughput',
  about: `calls per second, ${IN_FLIGHT} in flight (p50 and p99 in µs)`,

  async run() {
    const [echo, asking, process] = await Promise.all([
      startEcho(),
      startEcho({ worker: true }),
      startLeaf()
    ])
    const remote = await connect(process.url)
    const tapped = await tappedMock()
    const [local, leaf, tap] = [
      await openStage(localMediasoup),
      await openStage(remote),
      await openStage(tapped.mediasoup)
    ]
    const stats = await tapped.exchangeOf(() => tap.consumer.getStats())
    const connects = await tapped.exchangeOf(() => tap.direct.connect())

    const samples = await rounds(ROUNDS, {
      connectEcho: measure((await echo.connect(connects)).call),
      connectLeaf: measure(() => leaf.direct.connect()),
      statsEcho: measure((await echo.connect(stats)).call),
      statsAsking: measure((await asking.connect(stats)).call),
      statsLocal: measure(() => local.consumer.getStats()),
      statsLeaf: measure(() => leaf.consumer.getStats())
    })
    for (const { worker } of [local, leaf, tap]) worker.close()
    for (const mediasoup of [remote, tapped.mediasoup]) mediasoup.close()
    await Promise.all([echo.end(), asking.end(), end(process.child)])

    const unit = 'calls/s'
    const target = { of: 'ratio', atLeast: 0.6 } as const
    return [
      row({
        what: `echo of ${connects.request.length} B → ${connects.answer.length} B`,
        unit,
        samples: samples.connectEcho
      }),
      row({
        what: 'DirectTransport.connect, leaf',
        unit,
        samples: samples.connectLeaf,
        to: { echo: samples.connectEcho },
        target
      }),
      row({
        what: `echo of ${stats.request.length} B → ${stats.answer.length} B`,
        unit,
        samples: samples.statsEcho
      }),
      row({
        what: 'echo that asks mediasoup first',
        unit,
        samples: samples.statsAsking,
        to: { echo: samples.statsEcho }
      }),
      row({
        what: 'Consumer.getStats, local',
        unit,
        samples: samples.statsLocal,
        to: { echo: samples.statsEcho }
      }),
      row({
        what: 'Consumer.getStats, leaf',
        unit,
        samples: samples.statsLeaf,
        to: { echo: samples.statsEcho },
        target
      }),
      row({
        what: 'Consumer.getStats, leaf',
        unit,
        samples: samples.statsLeaf,
        to: { local: samples.statsLocal }
      }),
      row({
        what: 'Consumer.getStats, leaf',
        unit,
        samples: samples.statsLeaf,
        to: { 'echo that asks': samples.statsAsking }
      })
    ]
  }
}
