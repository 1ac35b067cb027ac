// One call, and nothing else in flight.

import * as localMediasoup from 'mediasoup'
import { Durations } from '../../kit/durations.ts'
import { startEcho } from '../../kit/echo-client.ts'
import { type Group, type Row, oneByOne, rounds, row, quick } from '../measure.ts'
import { end, startLeaf } from '../processes.ts'
import { client, connect, leaf } from '../../kit/product.ts'
import { createTransport, openStage } from '../../kit/room.ts'
import { tappedMock } from '../tap.ts'

const ROUNDS = 15
const CALLS_PER_ROUND = quick ? 15 : 150
// V8 is still optimising the leaf after 2000 calls.
const WARM_UP_ROUNDS = 20

type Stage = Awaited<ReturnType<typeof openStage>>
type Call = (stage: Stage) => Promise<unknown>

const GET_STATS = 'Consumer.getStats'

const CALLS: Record<string, Call> = {
  [GET_STATS]: ({ consumer }) => consumer.getStats(),
  'Router.createWebRtcTransport': createTransport,
  'Transport.consume': ({ consume, producers }) => consume(producers[1])
}

export const calls: Group = {
  name: 'calls',
  about: 'one call, nothing else in flight (µs)',

  async run() {
    const [echo, asking, process] = await Promise.all([
      startEcho(),
      startEcho({ worker: true }),
      startLeaf()
    ])
    const remote = await connect(process.url)
    const mocked = await client(leaf(localMediasoup))
    const tapped = await tappedMock()
    const stages = {
      local: await openStage(localMediasoup),
      mock: await openStage(mocked),
      leaf: await openStage(remote),
      tapped: await openStage(tapped.mediasoup)
    }
    const rows: Row[] = []
    for (const [what, call] of Object.entries(CALLS)) {
      const exchange = await tapped.exchangeOf(() => call(stages.tapped))
      const [echoed, asked] = [await echo.connect(exchange), await asking.connect(exchange)]
      const samples = await rounds(
        ROUNDS,
        {
          echo: () => oneByOne(new Durations(), CALLS_PER_ROUND, echoed.call),
          // It asks getStats(), whatever the call is.
          asking: () => oneByOne(new Durations(), CALLS_PER_ROUND, asked.call),
          local: () => measure(stages.local, call),
          mock: () => measure(stages.mock, call),
          leaf: () => measure(stages.leaf, call)
        },
        { warmUp: WARM_UP_ROUNDS }
      )
      const bytes = `${exchange.request.length} B → ${exchange.answer.length} B`
      rows.push(
        row({ what: `echo of ${bytes}`, unit: 'µs', samples: samples.echo }),
        row({ what: `${what}, local`, unit: 'µs', samples: samples.local }),
        row({
          what: `${what}, mock`,
          unit: 'µs',
          samples: samples.mock,
          to: { local: samples.local }
        }),
        row({
          what: `${what}, leaf`,
          unit: 'µs',
          samples: samples.leaf,
          to: { echo: samples.echo, local: samples.local },
          target: { of: 'ratio', atMost: 1.25 }
        })
      )
      if (what === GET_STATS)
        rows.push(
          row({
            what: 'echo that asks mediasoup first',
            unit: 'µs',
            samples: samples.asking,
            to: { echo: samples.echo, local: samples.local }
          }),
          row({
            what: `${what}, leaf`,
            unit: 'µs',
            samples: samples.leaf,
            to: { 'echo that asks': samples.asking }
          })
        )
    }
    for (const stage of Object.values(stages)) stage.worker.close()
    for (const mediasoup of [remote, mocked, tapped.mediasoup]) mediasoup.close()
    await Promise.all([echo.end(), asking.end(), end(process.child)])
    return rows
  }
}

/** What the calls of a round made is closed after it. */
async function measure(stage: Stage, call: Call) {
  const made: { close?(): void }[] = []
  const sample = await oneByOne(new Durations(), CALLS_PER_ROUND, async () =>
    made.push((await call(stage)) as object)
  )
  for (const object of made) object.close?.()
  await stage.worker.getResourceUsage()
  return sample
}
