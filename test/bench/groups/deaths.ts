// How long it takes until a death is noticed by the application, or is no more than latency: that
// of a Worker, of a leaf, and of the proxy between. All are real processes, killed with SIGKILL.

import { once } from 'node:events'
import type * as ms from 'mediasoup/types'
import { Durations } from '../../kit/durations.ts'
import { type Group, type Sample, latency, quick, rounds, row } from '../measure.ts'
import { type Served, end, startLeaf } from '../processes.ts'
import { connect } from '../../kit/product.ts'

const ROUNDS = quick ? 1 : 7

export const deaths: Group = {
  name: 'deaths',
  about:
    'from a SIGKILL until the application has heard of it; of a proxy, from when another one listens until a call is answered (p50 and p99 in µs)',

  async run() {
    const leaf = await startLeaf()
    let proxy = await startLeaf([leaf.url])
    const mediasoup = await connect(proxy.url)
    const { died, replaced } = await rounds(
      ROUNDS,
      {
        died: async () => {
          const worker = await mediasoup.createWorker()
          return timed(once(worker, 'died'), () => process.kill(worker.pid, 'SIGKILL'))
        },
        replaced: async () => {
          const worker = await mediasoup.createWorker()
          const { host } = new URL(proxy.url)
          await kill(proxy)
          proxy = await startLeaf([leaf.url], host)
          const sample = await timed(worker.getResourceUsage(), () => {})
          worker.close()
          return sample
        }
      },
      { warmUp: 0 }
    )
    const gone = await rounds(ROUNDS, { leaf: () => loseLeaf() }, { warmUp: 0 })
    mediasoup.close()
    for (const { child } of [proxy, leaf]) await end(child)

    const unit = 'µs'
    return [
      row({ what: 'a Worker is killed, seen through a proxy', unit, samples: died }),
      row({ what: 'a leaf is killed, seen through a proxy', unit, samples: gone.leaf }),
      row({
        what: 'a proxy was killed, and another one listens: a call is answered',
        unit,
        samples: replaced
      })
    ]
  }
}

/** A leaf of its own for each round, because it does not come back. */
async function loseLeaf(): Promise<Sample> {
  const leaf = await startLeaf()
  const proxy = await startLeaf([leaf.url])
  const mediasoup = await connect(proxy.url)
  const worker: ms.Worker = await mediasoup.createWorker()
  const sample = await timed(once(worker, 'died'), () => leaf.child.kill('SIGKILL'))
  mediasoup.close()
  await end(proxy.child)
  return sample
}

async function kill({ child }: Served) {
  child.kill('SIGKILL')
  await once(child, 'exit')
}

async function timed(outcome: Promise<unknown>, act: () => void): Promise<Sample> {
  const durations = new Durations()
  const start = performance.now()
  act()
  await outcome
  durations.add(performance.now() - start)
  return latency(durations.stop())
}
