// One Producer and more and more Consumers, on two Workers against one.

import * as localMediasoup from 'mediasoup'
import { PACKET_BYTES, openAudience } from '../audience.ts'
import { type Group, type Sample, type Target, quick, rounds, row } from '../measure.ts'
import { client, leaf, vertical } from '../../kit/product.ts'

const ROUNDS = 3
const FIRST = quick ? 10 : 60
const FACTOR = 1.25
const MAX_LOSS = 0.01
const PACKETS = quick ? 50 : 1_000
const EVERY_MS = quick ? 10 : 2
// What is under way for longer waits for a Worker that cannot keep up.
const SLACK_MS = quick ? 5_000 : 40
// CPU time is measured with what a fifth of a core can do, so that it matters less who else wants
// the core.
const CALM = {
  consumers: quick ? FIRST : 300,
  packets: quick ? 50 : 300,
  everyMs: 15,
  slackMs: 5_000
}

type Figure = 'value' | 'loss' | 'consumers' | 'perCpuSecond'

interface Growth extends Sample {
  consumers: number
  loss: number
  perCpuSecond: number
}

export const growth: Group = {
  name: 'growth',
  about: `a Producer of ${1000 / EVERY_MS} packets of ${PACKET_BYTES} B per second and more and more Consumers with SRTP: most that arrives, at under 1 % loss`,

  async run() {
    const grown = { one: [] as Growth[], two: [] as Growth[] }
    const grow = (key: 'one' | 'two', workers: number) => async () => {
      const growth = await growOn(workers)
      grown[key].push(growth)
      return growth
    }
    await rounds(ROUNDS, { one: grow('one', 1), two: grow('two', 2) }, { warmUp: 0 })
    const of = (key: 'one' | 'two', member: Figure, factor = 1) =>
      grown[key].map(growth => ({ value: growth[member] * factor }))
    const compare = (what: string, unit: string, member: Figure, target?: Target) => [
      row({ what: `${what}, 1 Worker`, unit, samples: of('one', member) }),
      row({
        what: `${what}, 2 Workers`,
        unit,
        samples: of('two', member),
        to: { '1 Worker': of('one', member) },
        target
      })
    ]
    const target = { of: 'ratio', atLeast: 1.8 } as const
    return [
      ...compare('Consumers', '', 'consumers'),
      ...compare('packets that arrive', '/s', 'value', target),
      row({ what: 'loss then, 1 Worker', unit: '%', samples: of('one', 'loss', 100) }),
      row({ what: 'loss then, 2 Workers', unit: '%', samples: of('two', 'loss', 100) }),
      ...compare(
        `packets for a second of CPU, at least ${CALM.consumers} Consumers`,
        '',
        'perCpuSecond'
      ),
      row({
        what: 'computed from these: 2 Workers with a free core each',
        unit: '/s',
        samples: of('two', 'perCpuSecond', 2),
        to: { '1 Worker': of('one', 'perCpuSecond') },
        target
      })
    ]
  }
}

async function growOn(workers: number): Promise<Growth> {
  const mediasoup = await client(
    vertical(leaf(localMediasoup), { policy: 'scatter', maxWorkers: workers })
  )
  const audience = await openAudience(mediasoup, workers)
  const perform = () => audience.perform(PACKETS, EVERY_MS, SLACK_MS)
  let best: Omit<Growth, 'perCpuSecond'> | undefined
  let consumers = FIRST
  for (let failures = 0; failures < 2; consumers = Math.ceil(consumers * FACTOR)) {
    await audience.growTo(consumers)
    const { loss, perSecond } = await perform()
    failures = loss < MAX_LOSS ? 0 : failures + 1
    // On a machine that is too busy for the first step, that is what there is to tell.
    if (loss < MAX_LOSS || !best) best = { consumers, value: perSecond, loss }
    if (quick) break
    await audience.settle() // What comes too late must not count for the next step.
  }
  await audience.settle()
  await audience.growTo(CALM.consumers)
  const { perCpuSecond } = await audience.perform(CALM.packets, CALM.everyMs, CALM.slackMs)
  audience.end()
  mediasoup.close()
  return { ...best!, perCpuSecond }
}
