// How much passes through one proxy, to how much passes through a relay that copies frames. Client,
// proxy and leaf share the cores, so it is also told how much each could pass in a second of its
// own CPU time.

import { Durations } from '../../kit/durations.ts'
import {
  type Group,
  type Row,
  type Sample,
  inFlight,
  rate,
  rounds,
  row,
  quick
} from '../measure.ts'
import { type Served, ask, end, startHop, startLeaf } from '../processes.ts'
import { connect } from '../../kit/product.ts'
import { type Mediasoup, openStage } from '../../kit/room.ts'
import { BURSTS_IN_FLIGHT, KINDS, burstsOf } from './events.ts'

const ROUNDS = 9
const ROUND_MS = quick ? 50 : 400
const IN_FLIGHT = 64
const TIERS = ['cluster', 'vertical'] as const

type Traffic = () => Promise<Durations>

const TRAFFIC: { what: string; unit: string; open(mediasoup: Mediasoup): Promise<Traffic> }[] = [
  { what: 'DirectTransport.connect', unit: 'calls/s', open: calls },
  ...KINDS.map(({ what, open, each }) => ({
    what,
    unit: 'events/s',
    open: async (mediasoup: Mediasoup) => events(await open(mediasoup), each)
  }))
]

export const proxies: Group = {
  name: 'proxies',
  about: `calls per second through one proxy, ${IN_FLIGHT} in flight, and events per second, ${BURSTS_IN_FLIGHT} bursts at once (p50 and p99 in µs)`,

  async run() {
    const leaf = await startLeaf()
    const [relay, cluster, vertical] = await Promise.all([
      startHop('relay', [leaf.url]),
      startHop('cluster', [leaf.url]),
      startHop('vertical', [leaf.url])
    ])
    const hops = { leaf, relay, cluster, vertical }
    const rows: Row[] = []
    for (const { what, unit, open } of TRAFFIC) {
      const remotes = await Promise.all(Object.values(hops).map(({ url }) => connect(url)))
      const traffic = await Promise.all(remotes.map(open))
      const samples = await rounds(ROUNDS, {
        leaf: async () => rate(await traffic[0]!()),
        relay: () => measure(relay, traffic[1]!),
        cluster: () => measure(cluster, traffic[2]!),
        vertical: () => measure(vertical, traffic[3]!)
      })
      for (const remote of remotes) remote.close()

      rows.push(
        row({ what: `${what}, leaf`, unit, samples: samples.leaf }),
        row({ what: `${what}, relay`, unit, samples: samples.relay })
      )
      for (const tier of TIERS)
        rows.push(
          row({
            what: `${what}, ${tier}`,
            unit,
            samples: samples[tier],
            to: { relay: samples.relay },
            target: { of: 'ratio', atLeast: 0.7 }
          })
        )
      rows.push(
        row({ what: `${what}, relay, per CPU second`, unit, samples: perCpuSecond(samples.relay) })
      )
      for (const tier of TIERS)
        rows.push(
          row({
            what: `${what}, ${tier}, per CPU second`,
            unit,
            samples: perCpuSecond(samples[tier]),
            to: { relay: perCpuSecond(samples.relay) }
          })
        )
    }
    await Promise.all(Object.values(hops).map(({ child }) => end(child)))
    return rows
  }
}

async function calls(mediasoup: Mediasoup): Promise<Traffic> {
  const { direct } = await openStage(mediasoup)
  return async () => {
    const durations = new Durations()
    await inFlight(durations, IN_FLIGHT, ROUND_MS, () => direct.connect())
    return durations
  }
}

function events(source: Parameters<typeof burstsOf>[0], each: number): Traffic {
  const burst = burstsOf(source, each)
  return () => burst(BURSTS_IN_FLIGHT)
}

interface Measured extends Sample {
  /** What the process in between needed, in s. */
  cpu: number
  count: number
}

async function measure({ child }: Served, traffic: Traffic): Promise<Measured> {
  const before = await ask<number>(child, 'cpu')
  const durations = await traffic()
  return {
    ...rate(durations),
    cpu: ((await ask<number>(child, 'cpu')) - before) / 1e6,
    count: durations.count
  }
}

const perCpuSecond = (samples: Measured[]): Sample[] =>
  samples.map(({ count, cpu }) => ({ value: count / cpu }))
