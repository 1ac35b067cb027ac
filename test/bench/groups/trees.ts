// The storm of joins.ts on trees of two leaves: how long it takes, and how evenly the Workers carry
// what it leaves behind.

import { median } from '../../kit/durations.ts'
import { type Group, type Sample, rounds, row } from '../measure.ts'
import { end, startHop, startLeaf } from '../processes.ts'
import { connect } from '../../kit/product.ts'
import { PARTICIPANTS, storm } from './joins.ts'

const ROUNDS = 5

interface Stormed extends Sample {
  workers: number
  /**
   * Transports and Consumers on the Worker that has most of them, to the mean of those that have
   * any.
   */
  spread: number
}

export const trees: Group = {
  name: 'trees',
  about: `the storm of ${PARTICIPANTS} participants on a cluster of two leaves, and on one whose Routers span their Workers`,

  async run() {
    const leaves = [await startLeaf(), await startLeaf()] as const
    const urls = leaves.map(({ url }) => url)
    const hops = [await startHop('cluster', urls), await startHop('vertical', urls)] as const
    const [leaf, cluster, tree] = await Promise.all(
      [leaves[0], ...hops].map(({ url }) => connect(url))
    )
    const samples = await rounds(
      ROUNDS,
      { leaf: () => measure(leaf!), cluster: () => measure(cluster!), tree: () => measure(tree!) },
      { warmUp: 1 }
    )
    for (const mediasoup of [leaf, cluster, tree]) mediasoup!.close()
    await Promise.all([...hops, ...leaves].map(({ child }) => end(child)))

    const to = { leaf: samples.leaf }
    const spread = samples.tree.map(({ spread }) => ({ value: spread }))
    const workers = median(samples.tree.map(({ workers }) => workers))
    return [
      row({ what: 'join storm, leaf', unit: 'ms', samples: samples.leaf }),
      row({ what: 'join storm, cluster', unit: 'ms', samples: samples.cluster, to }),
      row({ what: 'join storm, spanning the cluster', unit: 'ms', samples: samples.tree, to }),
      row({
        what: `transports and Consumers on the fullest of ${workers} Workers to their mean`,
        unit: '×',
        samples: spread,
        target: { of: 'value', atMost: 1.2 }
      })
    ]
  }
}

async function measure(mediasoup: Awaited<ReturnType<typeof connect>>): Promise<Stormed> {
  let counts: number[] = []
  const sample = await storm(mediasoup, async joined => {
    const objects = joined.flatMap(({ sending, receiving, consumers }) => [
      sending,
      receiving,
      ...consumers
    ])
    const workers = await Promise.all(
      objects.map(async object => (await mediasoup.connection.locate(object)).pid)
    )
    counts = Object.values(Object.groupBy(workers, String)).map(pids => pids!.length)
  })
  return {
    ...sample,
    workers: counts.length,
    spread: (Math.max(...counts) * counts.length) / counts.reduce((sum, count) => sum + count)
  }
}
