// What each tier adds to one call with nothing else in flight, to what a relay adds that copies
// frames.

import { Durations } from '../../kit/durations.ts'
import { type Group, type Row, oneByOne, rounds, row, quick } from '../measure.ts'
import { type Role, type Served, end, startHop, startLeaf } from '../processes.ts'
import { connect } from '../../kit/product.ts'
import { openStage } from '../../kit/room.ts'

const ROUNDS = 15
const CALLS_PER_ROUND = quick ? 15 : 150
const WARM_UP_ROUNDS = 20
const HOPS = quick ? [1] : [1, 2, 3]

type Stage = Awaited<ReturnType<typeof openStage>>

// The leaf answers the first one itself, and the second one with the help of its worker.
const CALLS: Record<string, (stage: Stage) => Promise<unknown>> = {
  'DirectTransport.connect': ({ direct }) => direct.connect(),
  'Consumer.getStats': ({ consumer }) => consumer.getStats()
}

export const hops: Group = {
  name: 'hops',
  about: `one call, nothing else in flight (µs), and what 1 to ${HOPS.length} proxies one above the other, each a process, add to it`,

  async run() {
    const leaf = await startLeaf()
    const served: Record<string, Served> = { leaf }
    for (const role of ['relay', 'cluster', 'vertical'] as const)
      Object.assign(served, await startChain(role, leaf))
    const stages: Record<string, Stage> = {}
    for (const [name, { url }] of Object.entries(served))
      stages[name] = await openStage(await connect(url))

    const rows: Row[] = []
    for (const [what, call] of Object.entries(CALLS)) {
      const candidates = Object.entries(stages).map(
        ([name, stage]) =>
          [name, () => oneByOne(new Durations(), CALLS_PER_ROUND, () => call(stage))] as const
      )
      const samples = await rounds(ROUNDS, Object.fromEntries(candidates), {
        warmUp: WARM_UP_ROUNDS
      })
      const added = (name: string) =>
        samples[name]!.map(({ value }, i) => ({ value: value - samples.leaf![i]!.value }))
      const unit = 'µs'
      rows.push(row({ what: `${what}, leaf`, unit, samples: samples.leaf! }))
      for (const n of HOPS) {
        const relays = added(`${n} × relay`)
        rows.push(row({ what: `${what}, added by ${n} × relay`, unit, samples: relays }))
        for (const tier of ['cluster', 'vertical']) {
          rows.push(
            row({
              what: `${what}, added by ${n} × ${tier}`,
              unit,
              samples: added(`${n} × ${tier}`),
              to: { relay: relays },
              target: { of: 'ratio', atMost: 1.5 }
            })
          )
        }
      }
    }
    for (const { worker } of Object.values(stages)) worker.close()
    await Promise.all(Object.values(served).map(({ child }) => end(child)))
    return rows
  }
}

/** Each on top of the one before, by how many there are. */
async function startChain(role: Role, leaf: Served): Promise<Record<string, Served>> {
  const chain: Record<string, Served> = {}
  let top = leaf
  for (const n of HOPS) chain[`${n} × ${role}`] = top = await startHop(role, [top.url])
  return chain
}
