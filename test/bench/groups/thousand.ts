// A cluster of a thousand leaves against one of ten. The leaves are simulated, the WebSockets and
// the cluster are real.

import type { ChildProcess } from 'node:child_process'
import type * as ms from 'mediasoup/types'
import type { Question } from '../cluster.ts'
import { Durations } from '../../kit/durations.ts'
import { type Group, type Sample, inFlight, oneByOne, quick, rounds, row } from '../measure.ts'
import { ask, end, startScript } from '../processes.ts'
import { connect } from '../../kit/product.ts'

const ROUNDS = 5
const FEW = 10
const MANY = quick ? 40 : 1_000
const PROCESSES = 4
const WORKERS_PER_ROUND = quick ? 20 : 200
const LISTENERS = 50
const IN_FLIGHT = 64
const ROUND_MS = quick ? 50 : 400
const REST_MS = quick ? 100 : 3_000
const SILENCE_MS = 1_000

export const thousand: Group = {
  name: 'thousand',
  about: `a cluster of ${MANY} leaves against one of ${FEW}; the leaves are without media, the processes and WebSockets real`,

  async run() {
    const [few, many] = [await startCluster(FEW), await startCluster(MANY)]
    const both = { few, many }
    const names = { few: `${FEW} leaves`, many: `${MANY} leaves` }
    const costs = { few: [] as Sample[], many: [] as Sample[] }
    const placing = await rounds(
      ROUNDS,
      mapBoth(both, (cluster, key) => async () => {
        const { latency, cpu } = await place(cluster)
        costs[key].push({ value: cpu })
        return latency
      }),
      { warmUp: 1 }
    )
    const calling = await rounds(
      ROUNDS,
      mapBoth(both, cluster => () => call(cluster))
    )
    const hearing = await rounds(
      1,
      mapBoth(both, cluster => () => listen(cluster)),
      { warmUp: 0 }
    )
    const noticing = await rounds(
      quick ? 1 : 3,
      { killed: () => lose(many, 'SIGKILL'), paused: () => lose(many, 'SIGSTOP') },
      { warmUp: 0 }
    )
    for (const cluster of [few, many]) await cluster.end()

    const compare = (what: string, unit: string, samples: { few: Sample[]; many: Sample[] }) => [
      row({ what: `${what}, ${names.few}`, unit, samples: samples.few }),
      row({
        what: `${what}, ${names.many}`,
        unit,
        samples: samples.many,
        to: { [names.few]: samples.few }
      })
    ]
    const value = (of: (cluster: Cluster) => number) => ({
      few: [{ value: of(few) }],
      many: [{ value: of(many) }]
    })
    return [
      ...compare(
        'until all are up',
        'ms',
        value(({ added }) => added)
      ),
      ...compare(
        'CPU of the cluster until then',
        'ms',
        value(({ addedCpu }) => addedCpu)
      ),
      ...compare(
        'heap',
        'MB',
        value(({ heap }) => heap / 1e6)
      ),
      ...compare(
        'all memory',
        'MB',
        value(({ rss }) => rss / 1e6)
      ),
      row({
        what: 'heap for each further leaf',
        unit: 'kB',
        samples: [{ value: (many.heap - few.heap) / (MANY - FEW) / 1e3 }]
      }),
      ...compare('createWorker', 'µs', placing),
      ...compare('CPU of the cluster for a Worker', 'µs', costs),
      ...compare(`calls, ${IN_FLIGHT} in flight`, 'calls/s', calling),
      ...compare(
        `CPU of the cluster while all report, ${LISTENERS} sessions hear its load`,
        'ms/s',
        hearing
      ),
      row({
        what: 'until a leaf that was killed gets no more Workers',
        unit: 'ms',
        samples: noticing.killed
      }),
      row({
        what: `until one that is paused gets none, with a silence of ${SILENCE_MS} ms`,
        unit: 'ms',
        samples: noticing.paused
      })
    ]
  }
}

const mapBoth = <T, R>(
  { few, many }: { few: T; many: T },
  map: (of: T, key: 'few' | 'many') => R
) => ({ few: map(few, 'few'), many: map(many, 'many') })

type Cluster = Awaited<ReturnType<typeof startCluster>>

/** A cluster of that many leaves, and a session that has a Worker on each. */
async function startCluster(leaves: number) {
  const hosts = Array.from({ length: PROCESSES }, (_, i) =>
    startScript('bench/fake-leaves', [String(Math.floor((leaves + i) / PROCESSES))])
  )
  const urls = (await Promise.all(hosts.map(host => ask<string[]>(host)))).flat()
  const child = startScript('bench/cluster', [], { nodeArgs: ['--expose-gc'] })
  const url = await ask<string>(child)
  const asked = <T>(question: Question) => ask<T>(child, question)
  await asked({ cpu: true })
  const added = await asked<number>({ add: urls })
  const addedCpu = await asked<number>({ cpu: true })
  const { heap, rss } = await asked<{ heap: number; rss: number }>({ memory: true })
  const mediasoup = await connect(url)
  const workers: ms.Worker[] = []
  for (let i = 0; i < leaves; i++) workers.push(await mediasoup.createWorker())
  return {
    url,
    added,
    addedCpu,
    heap,
    rss,
    mediasoup,
    workers,
    asked,
    end: async () => {
      mediasoup.close()
      await end(child)
      await Promise.all(hosts.map(host => end(host)))
    }
  }
}

/** Workers, one after the other, on leaves to which there is a session already. */
async function place({ mediasoup, asked }: Cluster) {
  const made: ms.Worker[] = []
  await asked({ cpu: true })
  const latency = await oneByOne(new Durations(), WORKERS_PER_ROUND, async () =>
    made.push(await mediasoup.createWorker())
  )
  const cpu = await asked<number>({ cpu: true })
  for (const worker of made) worker.close()
  return { latency, cpu: (cpu * 1000) / WORKERS_PER_ROUND }
}

function call({ workers }: Cluster) {
  let turn = 0
  return inFlight(new Durations(), IN_FLIGHT, ROUND_MS, () =>
    workers[turn++ % workers.length]!.getResourceUsage()
  )
}

/** The cluster has nothing else to do. */
async function listen({ url, asked }: Cluster): Promise<Sample> {
  const sessions = await Promise.all(Array.from({ length: LISTENERS }, () => connect(url)))
  await Promise.all(sessions.map(({ connection }) => connection.getLoad()))
  await asked({ cpu: true })
  await new Promise(resolve => setTimeout(resolve, REST_MS))
  const cpu = await asked<number>({ cpu: true })
  for (const session of sessions) session.close()
  return { value: (cpu / REST_MS) * 1000 }
}

/**
 * From the signal until the cluster has noticed that a leaf, which is alone in its process, is
 * gone.
 */
async function lose({ asked }: Cluster, signal: 'SIGKILL' | 'SIGSTOP'): Promise<Sample> {
  const host: ChildProcess = startScript('bench/fake-leaves', ['1'])
  await asked({ add: await ask<string[]>(host), silence: SILENCE_MS })
  const lost = asked<number>({ lost: true })
  const start = Number(process.hrtime.bigint()) / 1e6
  host.kill(signal)
  const value = (await lost) - start
  if (signal === 'SIGSTOP') host.kill('SIGKILL')
  return { value }
}
