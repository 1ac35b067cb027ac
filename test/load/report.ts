// Windows and verdicts, for people.

import { BOUNDS, type Drift, type Growth, LATER, judgeLatency, judgeMemory, warm } from './judge.ts'
import type { Outcome, Window } from './run.ts'
import type { Holdings } from './tiers.ts'

const mb = (bytes: number) => (bytes / 1e6).toFixed(1)
const whole = (bytes: number) => (bytes / 1e6).toFixed(0)
const ms = (us: number) => (us / 1e3).toFixed(2)

interface Column {
  title: string
  width: number
  of(window: Window): string
}

/**
 * Processes that do the same, together: where sessions come and go, each of them has another share
 * from time to time.
 */
const groupOf = (name: string) => name.replace(/ \d+$/, '')
const groupsOf = ({ holdings }: Window) => [...new Set(Object.keys(holdings).map(groupOf))]
const sum = (values: number[]) => values.reduce((total, value) => total + value, 0)
const total = (
  holdings: Record<string, Holdings>,
  of: (holdings: Holdings) => number,
  group?: string
) =>
  sum(
    Object.entries(holdings)
      .filter(([name]) => group === undefined || groupOf(name) === group)
      .map(([, each]) => of(each))
  )

function columnsOf(first: Window): Column[] {
  return [
    { title: 'min', width: 5, of: ({ minutes }) => minutes.toFixed(1) },
    ...groupsOf(first).map(group => ({
      title: `${group} heap/rss/resident`,
      width: group.length + 18,
      of: ({ holdings }: Window) =>
        `${mb(total(holdings, ({ heap }) => heap, group))}/${whole(total(holdings, ({ rss }) => rss, group))}/${whole(total(holdings, ({ resident }) => resident, group))}`
    })),
    {
      title: 'workers',
      width: 7,
      of: ({ holdings }) => whole(total(holdings, ({ workers }) => workers))
    },
    {
      title: 'files',
      width: 6,
      of: ({ holdings }) => String(total(holdings, ({ files }) => files))
    },
    {
      title: 'CPU',
      width: 9,
      of: ({ cpu }) =>
        Object.values(cpu)
          .map(share => share.toFixed(1).replace(/^0/, ''))
          .join(' ')
    },
    {
      title: 'loop p99',
      width: 8,
      of: ({ holdings }) => Object.values(holdings)[0]!.delay.p99.toFixed(1)
    },
    { title: 'calls', width: 6, of: ({ latencies }) => String(latencies.call.count) },
    ...(['p50', 'p99', 'p999'] as const).map(p => ({
      title: p,
      width: 6,
      of: ({ latencies }: Window) => ms(latencies.call[p])
    })),
    ...(['p50', 'p99'] as const).map(p => ({
      title: `echo ${p}`,
      width: 8,
      of: ({ latencies }: Window) => ms(latencies.echo[p])
    })),
    ...(['join', 'session'] as const).map(what => ({
      title: `${what} p50`,
      width: 11,
      of: ({ latencies }: Window) => ms(latencies[what].p50)
    })),
    { title: 'regained', width: 8, of: ({ regained }) => String(regained) }
  ]
}

/** Memory in MB, after garbage was collected; shares of a core; times in ms. */
export const heading = (window: Window) =>
  columnsOf(window)
    .map(({ title, width }) => title.padStart(width))
    .join(' ')
export const line = (window: Window) =>
  columnsOf(window)
    .map(({ width, of }) => of(window).padStart(width))
    .join(' ')

export function verdictsOf({ windows }: Outcome): (Growth | Drift)[] {
  const judged = warm(windows)
  const calls = judged.reduce((sum, { latencies }) => sum + latencies.call.count, 0)
  const points = (of: (window: Window) => number) =>
    judged.map(window => ({ x: window.minutes, y: of(window) }))
  const memory = groupsOf(judged[0]!).flatMap(group => [
    judgeMemory(
      `heap of ${group}`,
      points(({ holdings }) => total(holdings, ({ heap }) => heap, group)),
      calls,
      BOUNDS.heap
    ),
    judgeMemory(
      `resident memory of ${group}`,
      points(({ holdings }) => total(holdings, ({ resident }) => resident, group)),
      calls,
      BOUNDS.resident
    )
  ])
  const workers = judgeMemory(
    'memory of the mediasoup-workers',
    points(({ holdings }) => total(holdings, ({ workers }) => workers)),
    calls,
    BOUNDS.resident
  )
  const latency = (['p50', 'p99'] as const).map(p =>
    judgeLatency(
      `${p} of a call`,
      judged.map(({ latencies: { call, echo } }) => ({ call: call[p], echo: echo[p] })),
      LATER[p]
    )
  )
  return [...memory, workers, ...latency]
}

export function verdictLine(verdict: Growth | Drift): string {
  const { what, from, to, ratio, isFlat } = verdict
  const figures =
    'toEcho' in verdict
      ? `${ms(from)} → ${ms(to)} ms; last third to first ${ratio.toFixed(3)}, to the echo ${verdict.toEcho.toFixed(3)}`
      : `${mb(from)} → ${mb(to)} MB, ${(verdict.perMinute / 1e3).toFixed(1)} kB a minute, ${verdict.perCall.toFixed(1)} bytes a call; last third to first ${ratio.toFixed(3)}`
  return `${what}: ${figures}: ${isFlat ? 'flat' : 'NOT FLAT'}`
}

export const leftLines = ({ before, after }: Outcome): string[] =>
  Object.keys(before).map(
    name =>
      `${name} before the first session and after the last: ${mb(before[name]!.heap)} → ${mb(after[name]!.heap)} MB, ${before[name]!.files} → ${after[name]!.files} files`
  )
