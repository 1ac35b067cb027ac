// What a session notices of another one that does its worst within the default limits.

import { Durations } from '../../kit/durations.ts'
import { connect } from '../../kit/product.ts'
import { openStage } from '../../kit/room.ts'
import type { Order, Worst } from '../hostile.ts'
import { type Group, type Sample, oneByOne, quick, rounds, row } from '../measure.ts'
import { ask, end, startLeaf, startScript } from '../processes.ts'

const ROUNDS = 3
const CALLS_PER_ROUND = quick ? 20 : 200
const DEFAULT = ['--limits', 'rate=20000']
const WORST: Worst[] = ['calls', 'discover', 'recall', 'garbage']

export const fairness: Group = {
  name: 'fairness',
  about:
    'the 99th percentile of one call after the other (µs), while another session does its worst',

  async run() {
    const leaf = await startLeaf([], undefined, DEFAULT)
    const mediasoup = await connect(leaf.url)
    const { consumer } = await openStage(mediasoup)
    const calls = () => oneByOne(new Durations(), CALLS_PER_ROUND, () => consumer.getStats())

    const candidates = Object.fromEntries(WORST.map(what => [what, () => beside(what)]))
    const { quiet, ...samples } = await rounds(
      ROUNDS,
      { quiet: async () => p99(await calls()), ...candidates },
      { warmUp: 1 }
    )
    mediasoup.close()
    await end(leaf.child)
    return [
      row({ what: 'Consumer.getStats, nobody else', unit: 'µs', samples: quiet }),
      ...WORST.map(what =>
        row({
          what: `beside ${what}`,
          unit: 'µs',
          samples: (samples as Record<string, Sample[]>)[what]!,
          to: { quiet },
          target: { of: 'ratio', atMost: 3 }
        })
      )
    ]

    /** A session that ends does not count: each has one of its own. */
    async function beside(what: Worst): Promise<Sample> {
      const child = startScript('bench/hostile', [leaf.url])
      await ask(child)
      await ask(child, what satisfies Order)
      const sample = p99(await calls())
      await end(child)
      return sample
    }
  }
}

const p99 = (sample: Sample): Sample => ({ ...sample, value: sample.p99! })
