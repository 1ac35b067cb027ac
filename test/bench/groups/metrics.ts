// What it costs that Prometheus looks: calls per second of a leaf that is scraped each second, against
// one without metrics, and how long the leaf is busy with being read.

import { Durations } from '../../kit/durations.ts'
import { connect } from '../../kit/product.ts'
import { openStage } from '../../kit/room.ts'
import { type Group, inFlight, oneByOne, quick, rounds, row } from '../measure.ts'
import { type Served, end, startLeaf } from '../processes.ts'

const ROUNDS = 15
const ROUND_MS = quick ? 400 : 2_000
const IN_FLIGHT = 64
const SCRAPE_MS = 1_000
const SCRAPES = quick ? 3 : 50
const CONSUMERS = quick ? 100 : 10_000
// So many at a time are created.
const AT_ONCE = 100

export const metrics: Group = {
  name: 'metrics',
  about: `calls per second, ${IN_FLIGHT} in flight, with /metrics read each second and without; and ms for reading it`,

  async run() {
    const leaves = { off: await startLeaf(), on: await startLeaf([], undefined, ['--metrics']) }
    const [off, on] = [await openCalls(leaves.off), await openCalls(leaves.on)]
    const scrape = () => read(leaves.on)
    const samples = await rounds(ROUNDS, {
      off: () => measure(off.call),
      on: async () => {
        const timer = setInterval(() => void scrape(), SCRAPE_MS)
        const [sample] = await Promise.all([measure(on.call), scrape()])
        clearInterval(timer)
        return sample
      }
    })
    const few = await scrapes(scrape)
    for (let i = 0; i < CONSUMERS; i += AT_ONCE)
      await Promise.all(Array.from({ length: AT_ONCE }, () => on.consume()))
    const many = await scrapes(scrape)
    for (const { close } of [off, on]) close()
    for (const { child } of Object.values(leaves)) await end(child)

    const unit = 'calls/s'
    return [
      row({ what: 'Consumer.getStats, without metrics', unit, samples: samples.off }),
      row({
        what: 'Consumer.getStats, with metrics that are read',
        unit,
        samples: samples.on,
        to: { without: samples.off },
        target: { of: 'ratio', atLeast: 0.97 }
      }),
      row({ what: 'reading /metrics, 1 Consumer', unit: 'ms', samples: few }),
      row({ what: `reading /metrics, ${CONSUMERS} more Consumers`, unit: 'ms', samples: many })
    ]
  }
}

async function openCalls({ url }: Served) {
  const mediasoup = await connect(url)
  const { consumer, consume, producers } = await openStage(mediasoup)
  return {
    call: () => consumer.getStats(),
    consume: () => consume(producers[0]),
    close: () => mediasoup.close()
  }
}

const measure = (call: () => Promise<unknown>) =>
  inFlight(new Durations(), IN_FLIGHT, ROUND_MS, call)

const read = async ({ url }: Served) => (await fetch(`${url.replace('ws', 'http')}/metrics`)).text()

async function scrapes(scrape: () => Promise<unknown>) {
  const { p50 = 0, p99 = 0 } = await oneByOne(new Durations(), SCRAPES, scrape)
  return [{ value: p50 / 1_000, p50: p50 / 1_000, p99: p99 / 1_000 }]
}
