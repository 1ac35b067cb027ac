// A run: tiers, clients, windows of a fixed rate of calls with a look at all processes after each,
// and the end of all sessions.

import { isDeepStrictEqual } from 'node:util'
import { Durations } from '../kit/durations.ts'
import { ask, end, startScript } from '../kit/processes.ts'
import { until } from '../kit/until.ts'
import type { Order, Report } from './client.ts'
import { type Counts, openCounter } from './counts.ts'
import { LEFT_BYTES } from './judge.ts'
import { type What, plansOf } from './plan.ts'
import { type Holdings, PROBED, ProbedProcess, type Shape, type Tier, startTiers } from './tiers.ts'

export interface LoadOptions {
  seconds: number
  sessions: number
  objects: number
  seed: number
  shape: Shape
  onWindow?: (window: Window) => void
}

export interface Percentiles {
  count: number
  p50: number
  p99: number
  p999: number
}

export interface Window {
  /** When it ended. */
  minutes: number
  /** In µs. */
  latencies: Record<What, Percentiles>
  /** After it, with nothing under way. */
  holdings: Record<string, Holdings>
  /** Of a core. */
  cpu: Record<string, number>
  regained: number
}

export interface Outcome {
  windows: Window[]
  /** Before there was any session, and after the last one was closed. */
  before: Record<string, Holdings>
  after: Record<string, Holdings>
  /** What should not have been. */
  wrong: string[]
}

const CLIENTS = 2
const WINDOW = { least: 2_000, most: 10_000, count: 60 }
// A trend needs some of them.
const LEAST_WINDOWS = 4
// A session whose connection was lost when it was closed stays for its grace period, and a shared
// Worker for some seconds.
const SETTLE_SECONDS = 60

export async function load({
  seconds,
  sessions,
  objects,
  seed,
  shape,
  onWindow = () => {}
}: LoadOptions): Promise<Outcome> {
  const { leaves, proxies, top } = await startTiers(shape)
  const tiers = [...leaves, ...proxies]
  const counter = await openCounter(leaves)
  const wrong: string[] = []
  const expect = async <T>(what: string, expected: T, actual: () => T | Promise<T>) => {
    wrong.push(...(await miss(what, expected, actual)))
  }
  // A proxy has its own sessions on the leaves.
  const own: Counts = {
    sessions: leaves.length * (proxies.length + 1),
    workers: 0,
    routers: 0,
    consumers: 0
  }
  await expect('what is on the leaves before all', own, counter.count)
  const before = await holdingsOf(tiers)

  const plans = plansOf(top.url, { seed, sessions, objects, clients: CLIENTS })
  const clients = plans.map(
    (plan, i) =>
      new ProbedProcess(
        `client ${i + 1}`,
        startScript('load/client', [JSON.stringify(plan)], { nodeArgs: PROBED })
      )
  )
  await Promise.all(clients.map(({ child }) => ask(child)))
  const windows: Window[] = []
  const windowMs = Math.min(WINDOW.most, Math.max(WINDOW.least, (seconds * 1000) / WINDOW.count))
  await holdingsOf([...tiers, ...clients])
  for (
    const begin = performance.now();
    windows.length < LEAST_WINDOWS || performance.now() - begin < seconds * 1000;
  ) {
    const since = performance.now()
    const reports = await Promise.all(
      clients.map(({ child }) => ask<Report>(child, { run: windowMs } satisfies Order))
    )
    const took = performance.now() - since
    wrong.push(...reports.flatMap(report => report.wrong))
    // A spanning tier has Routers on several leaves, and Consumers for its pipes.
    if (shape !== 'aggregated')
      await expect(
        'Routers and Consumers on the leaves',
        [sessions, sum(reports.map(({ consumers }) => consumers))],
        async () => {
          const { routers, consumers } = await counter.count()
          return [routers, consumers]
        }
      )
    const holdings = await holdingsOf([...tiers, ...clients])
    windows.push({
      minutes: (performance.now() - begin) / 60_000,
      latencies: latenciesOf(reports),
      cpu: Object.fromEntries(
        Object.entries(holdings).map(([name, { cpu }]) => [name, cpu / took])
      ),
      holdings,
      regained: sum(reports.map(({ regained }) => regained))
    })
    onWindow(windows.at(-1)!)
  }

  await Promise.all(clients.map(({ child }) => ask(child, 'close' satisfies Order)))
  await expect('what is on the leaves after all', own, counter.count)
  await expect('their mediasoup-workers', [], () => leaves.flatMap(({ workers }) => workers))
  for (const proxy of proxies) await expect(`sessions on ${proxy.name}`, 0, () => proxy.sessions())
  for (const { child } of clients) await end(child)
  const after = await holdingsOf(tiers)
  counter.close()
  wrong.push(
    ...tiers.flatMap(({ name }) => leftOf(name, before[name]!, after[name]!)),
    ...(await endAll(tiers))
  )
  return { windows, before, after, wrong }
}

/** What is not so, and does not become so. */
async function miss<T>(what: string, expected: T, actual: () => T | Promise<T>) {
  let now: T | undefined
  const isSo = async () => isDeepStrictEqual((now = await actual()), expected)
  return until(isSo, SETTLE_SECONDS, what).then(
    () => [],
    (error: Error) => [
      `${error.message}: ${JSON.stringify(now)}, and not ${JSON.stringify(expected)}`
    ]
  )
}

function leftOf(name: string, before: Holdings, after: Holdings): string[] {
  const more = after.heap - before.heap
  return [
    ...(more > LEFT_BYTES ? [`${name} has ${more} bytes more than before the first session`] : []),
    ...(after.files > before.files
      ? [`${name} had ${before.files} files and sockets open, and has ${after.files}`]
      : [])
  ]
}

async function endAll(tiers: Tier[]): Promise<string[]> {
  const wrong: string[] = []
  for (const tier of tiers.toReversed()) {
    const code = await tier.end()
    if (code) wrong.push(`${tier.name} ended with ${code}`)
    wrong.push(...tier.errors.map(line => `${tier.name} logged ${line}`))
  }
  return wrong
}

/** One after the other, so that they do not disturb each other. */
async function holdingsOf(processes: ProbedProcess[]): Promise<Record<string, Holdings>> {
  const holdings: Record<string, Holdings> = {}
  for (const probed of processes) holdings[probed.name] = await probed.holdings()
  return holdings
}

function latenciesOf(reports: Report[]): Record<What, Percentiles> {
  const of = (what: What): Percentiles => {
    const durations = new Durations()
    for (const { took } of reports) for (const ms of took[what]) durations.add(ms)
    const { count, p50, p99, p999 } = durations
    return { count, p50, p99, p999 }
  }
  return { call: of('call'), join: of('join'), session: of('session'), echo: of('echo') }
}

const sum = (values: number[]) => values.reduce((total, value) => total + value, 0)
