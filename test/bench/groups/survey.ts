// What it costs to be looked at: calls per second beside viewers, the CPU of a leaf with many
// Consumers, and what a proxy over many leaves sends to each viewer.

import { setTimeout as sleep } from 'node:timers/promises'
import type { SurveyOptions } from '../../../lib/survey.ts'
import { encodeRequest } from '../../../lib/wire.ts'
import { Durations } from '../../kit/durations.ts'
import { connect, remote } from '../../kit/product.ts'
import { openStage } from '../../kit/room.ts'
import { type Group, type Row, type Sample, inFlight, quick, rounds, row } from '../measure.ts'
import { ask, end, startLeaf, startScript } from '../processes.ts'

const ROUNDS = 7
const ROUND_MS = quick ? 300 : 2_000
const IN_FLIGHT = 64
const CONSUMERS = quick ? 500 : 10_000
const LEAVES = quick ? 20 : 200
const PROCESSES = 4
const WATCH_MS = quick ? 1_500 : 10_000
// Until what tiers tell goes on as it comes.
const SETTLE_MS = quick ? 0 : 3_000

export const survey: Group = {
  name: 'survey',
  about: `calls per second beside viewers; CPU of a leaf with ${CONSUMERS} Consumers; what a cluster of ${LEAVES} leaves sends`,
  run: async () => [...(await calls()), ...(await consumers()), ...(await cluster())]
}

/** Looks at a tier, and counts what is told of changes. */
async function look(url: string, options: SurveyOptions) {
  const link = await remote(url).open()
  const told = { bytes: 0 }
  const answered = new Promise<void>(resolve =>
    link.on('frame', frame => {
      if (String(frame).includes('"id":"survey"')) resolve()
      else told.bytes += Buffer.byteLength(frame)
    })
  )
  link.send(encodeRequest('survey', 'tier.survey', [options]))
  await answered
  return { told, close: () => link.close() }
}

const lookers = (count: number, url: string, options: SurveyOptions) =>
  Promise.all(Array.from({ length: count }, () => look(url, options)))

async function calls(): Promise<Row[]> {
  const leaf = await startLeaf()
  const mediasoup = await connect(leaf.url)
  const { direct } = await openStage(mediasoup)
  const beside = (viewers: number) => async () => {
    const all = await lookers(viewers, leaf.url, { detail: 'all' })
    const sample = await inFlight(new Durations(), IN_FLIGHT, ROUND_MS, () => direct.connect())
    for (const viewer of all) viewer.close()
    return sample
  }
  const samples = await rounds(ROUNDS, { off: beside(0), one: beside(1), ten: beside(10) })
  mediasoup.close()
  await end(leaf.child)
  const what = 'DirectTransport.connect, leaf'
  const target = { of: 'ratio', atLeast: 0.97 } as const
  const to = { 'nobody looks': samples.off }
  return [
    row({ what: `${what}, nobody looks`, unit: 'calls/s', samples: samples.off }),
    row({ what: `${what}, 1 viewer`, unit: 'calls/s', samples: samples.one, to, target }),
    row({ what: `${what}, 10 viewers`, unit: 'calls/s', samples: samples.ten, to, target })
  ]
}

async function consumers(): Promise<Row[]> {
  const child = startScript('bench/surveyed-leaf', [String(CONSUMERS)])
  const url = await ask<string>(child)
  const watched = (viewers: number) => async (): Promise<Sample> => {
    const all = await lookers(viewers, url, { detail: 'all', most: 20_000 })
    await ask<number>(child, 'cpu')
    await sleep(WATCH_MS)
    const used = await ask<number>(child, 'cpu')
    for (const viewer of all) viewer.close()
    return { value: (used / WATCH_MS) * 1_000 }
  }
  const once = { warmUp: 0 }
  const samples = await rounds(3, { off: watched(0), one: watched(1), ten: watched(10) }, once)
  await end(child)
  const beyond = (of: Sample[]) =>
    of.map(({ value }, i) => ({ value: value - samples.off[i]!.value }))
  const target = { of: 'value', atMost: 30 } as const
  const what = `CPU of a leaf with ${CONSUMERS} Consumers, beyond that when nobody looks`
  return [
    row({ what: `${what}, 1 viewer`, unit: 'ms/s', samples: beyond(samples.one), target }),
    row({ what: `${what}, 10 viewers`, unit: 'ms/s', samples: beyond(samples.ten) })
  ]
}

async function cluster(): Promise<Row[]> {
  const hosts = Array.from({ length: PROCESSES }, () =>
    startScript('bench/fake-leaves', [String(LEAVES / PROCESSES)])
  )
  const urls = (await Promise.all(hosts.map(host => ask<string[]>(host)))).flat()
  const child = startScript('bench/cluster', [], { nodeArgs: ['--expose-gc'] })
  const url = await ask<string>(child)
  await ask(child, { add: urls })
  const mediasoup = await connect(url)
  for (let i = 0; i < 2 * LEAVES; i++) {
    const worker = await mediasoup.createWorker()
    await Promise.all(Array.from({ length: 5 }, () => worker.createRouter()))
  }
  const watched = async (viewers: number) => {
    const all = await lookers(viewers, url, { detail: 'routers' })
    await sleep(SETTLE_MS)
    for (const { told } of all) told.bytes = 0
    await ask(child, { cpu: true })
    await sleep(WATCH_MS)
    const cpu = await ask<number>(child, { cpu: true })
    const bytes = all.reduce((total, { told }) => total + told.bytes, 0)
    for (const viewer of all) viewer.close()
    return {
      cpu: (cpu / WATCH_MS) * 1_000,
      bytes: (bytes / Math.max(1, viewers) / WATCH_MS) * 1_000
    }
  }
  const [off, one, ten] = [await watched(0), await watched(1), await watched(10)]
  mediasoup.close()
  await end(child)
  await Promise.all(hosts.map(host => end(host)))
  const what = `CPU of a cluster of ${LEAVES} leaves`
  const single = (value: number) => [{ value }]
  return [
    row({ what: `${what}, nobody looks`, unit: 'ms/s', samples: single(off.cpu) }),
    row({ what: `${what}, 1 viewer`, unit: 'ms/s', samples: single(one.cpu) }),
    row({ what: `${what}, 10 viewers`, unit: 'ms/s', samples: single(ten.cpu) }),
    row({ what: 'sent to 1 viewer', unit: 'B/s', samples: single(one.bytes) }),
    row({ what: 'sent to each of 10 viewers', unit: 'B/s', samples: single(ten.bytes) })
  ]
}
