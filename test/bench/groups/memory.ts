// Bytes of heap per Consumer.

import type { ChildProcess } from 'node:child_process'
import { type Group, type Sample, rounds, row, quick } from '../measure.ts'
import { ask, end, startScript } from '../processes.ts'

const ROUNDS = 3
const WARM_UP_CONSUMERS = quick ? 50 : 500
const CONSUMERS = quick ? 200 : 2000

export const memory: Group = {
  name: 'memory',
  about: `bytes of heap per Consumer, of ${CONSUMERS}`,

  async run() {
    // One after the other: each round is a process that has made nothing yet.
    let leaf: Sample | undefined
    const samples = await rounds(
      ROUNDS,
      {
        local: async () => {
          const [perConsumer] = await measure(start('local'))
          return { value: perConsumer! }
        },
        client: async () => {
          const server = start('leaf')
          const [inClient, inLeaf] = await measure(
            start('client', await ask<string>(server)),
            server
          )
          leaf = { value: inLeaf! }
          return { value: inClient! }
        },
        leaf: async () => leaf!
      },
      { warmUp: 0 }
    )
    const beyond = samples.leaf.map(({ value }, i) => ({ value: value - samples.local[i]!.value }))
    const to = { local: samples.local }
    return [
      row({ what: 'mediasoup itself, local', unit: 'B', samples: samples.local }),
      row({ what: 'client', unit: 'B', samples: samples.client, to }),
      row({ what: 'leaf, with mediasoup', unit: 'B', samples: samples.leaf, to }),
      row({
        what: 'leaf, beyond mediasoup',
        unit: 'B',
        samples: beyond,
        to,
        target: { of: 'value', atMost: 1500 }
      })
    ]
  }
}

const start = (role: string, ...args: string[]) =>
  startScript('bench/memory', [role, ...args], { nodeArgs: ['--expose-gc'] })

/** What each Consumer takes in the process that makes it, and in the one that serves it. */
async function measure(maker: ChildProcess, server?: ChildProcess): Promise<number[]> {
  await ask(maker)
  const heaps = async (consumers: number) => [
    await ask<number>(maker, consumers),
    ...(server ? [await ask<number>(server, 'heap')] : [])
  ]
  const before = await heaps(WARM_UP_CONSUMERS)
  const after = await heaps(CONSUMERS)
  await end(maker)
  if (server) await end(server)
  return after.map((bytes, i) => (bytes - before[i]!) / CONSUMERS)
}
