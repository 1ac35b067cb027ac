// How many hosts there should be: up at once and to the whole need, down after a while and one at a
// time. A pure function of what is known of the hosts, and of what it has found out before.

import type { ScaledHost, Wanted } from '../../lib/wanted.ts'
import { type Need, hundredths, needOf, sum } from './scale-need.ts'
import { type ScaleState, observe } from './scale-state.ts'
import type { ScaleOptions, Situation } from './scale-options.ts'

// What may drain at a time, of those there are.
const DRAINING_SHARE = 0.1
const HPA_TOLERANCE = 0.1

export function scale(
  before: ScaleState,
  situation: Situation,
  options: ScaleOptions
): { state: ScaleState; wanted: Wanted } {
  const { hosts, at } = situation
  const need = needOf(situation, options)
  const observed = observe(before, situation, need.cores, options)
  const isSettled = at - observed.since >= options.settle
  const active = hosts.filter(({ draining }) => !draining)
  const draining = hosts.length - active.length

  const keep = isSettled ? toKeep(observed, hosts, need.cores, options) : []
  const short = shortage(observed, [...active, ...keep], need.cores, options)
  const there = hosts.length + situation.unreachable.length + observed.starts.length
  const up = isSettled ? Math.max(0, Math.min(short, options.max - there)) : 0
  const state = {
    ...observed,
    starts: [...observed.starts, ...Array<number>(up).fill(at)],
    asked: observed.asked + up
  }

  const dispensable = short > 0 || keep.length ? [] : notNeeded(state, active, at, options)
  const mayDrain = draining < Math.max(1, Math.floor(active.length * DRAINING_SHARE))
  const remove = mayDrain ? dispensable[0] : undefined
  const now = active.length
  const enough = now + keep.length + state.starts.length
  const missing = need.cores - sum(active, ({ capacity }) => capacity)
  const wanted: Wanted = {
    hosts: enough - (remove ? 1 : 0),
    now,
    starting: state.starts.length,
    draining,
    cores: hundredths(missing > 0 ? missing : -sum(dispensable, ({ capacity }) => capacity)),
    reason: reasonOf(need, { short, up, remove, isSettled, now }, options),
    hpaHosts: hpaHosts(now, enough, dispensable.length),
    warmup: state.warmup,
    asked: state.asked,
    remove: remove?.name,
    keep: keep.map(({ name }) => name)
  }
  return { state, wanted }
}

/** Of the hosts that are given back, those of which there is need again: first what is fullest. */
function toKeep(
  state: ScaleState,
  hosts: readonly ScaledHost[],
  need: number,
  options: ScaleOptions
): ScaledHost[] {
  const active = hosts.filter(({ draining }) => !draining)
  const keep: ScaledHost[] = []
  const candidates = hosts.filter(({ draining, givenBack }) => draining && givenBack)
  for (const host of candidates.toSorted((one, other) => emptiest(other, one)))
    if (shortage(state, [...active, ...keep], need, options) > 0) keep.push(host)
  return keep
}

/** How many hosts are missing, beyond those that are starting. */
function shortage(
  { starts, size }: ScaleState,
  hosts: readonly ScaledHost[],
  need: number,
  { min }: ScaleOptions
): number {
  const cores = sum(hosts, ({ capacity }) => capacity) + starts.length * size
  const byNeed = Math.ceil(hundredths(need - cores) / size)
  return Math.max(0, byNeed, min - hosts.length - starts.length)
}

/** The hosts without which there was enough all the time, the emptiest first. */
function notNeeded(
  { since, starts, peaks }: ScaleState,
  active: readonly ScaledHost[],
  at: number,
  { quiet, min, settle }: ScaleOptions
): ScaledHost[] {
  if (starts.length || at - since < Math.max(quiet, settle)) return []
  const most = peaks[0]?.cores ?? 0
  let cores = sum(active, ({ capacity }) => capacity)
  const candidates = active.filter(({ known }) => known).toSorted(emptiest)
  return candidates.slice(0, Math.max(0, active.length - min)).filter(({ capacity }) => {
    if (hundredths(cores - capacity) < most) return false
    cores -= capacity
    return true
  })
}

const emptiest = (one: ScaledHost, other: ScaledHost) =>
  one.workers - other.workers || one.used - other.used

/**
 * @param enough with those that are starting
 * @param dispensable how many of `now` can be given back
 */
function hpaHosts(now: number, enough: number, dispensable: number): number {
  const above = Math.floor(now * (1 + HPA_TOLERANCE) + 1e-9) + 1
  if (enough > now) return Math.max(enough, above)
  const left = now - dispensable
  return left < now * (1 - HPA_TOLERANCE) - 1e-9 ? left : now
}

function reasonOf(
  need: Need,
  {
    short,
    up,
    remove,
    isSettled,
    now
  }: { short: number; up: number; remove: ScaledHost | undefined; isSettled: boolean; now: number },
  { max, min, quiet }: ScaleOptions
): string {
  if (!isSettled) return 'hosts that are there may not have been heard of yet'
  if (short > up) return `${need.reason}, but there may be only ${max} hosts`
  if (short > 0 && now < min) return `there are to be at least ${min} hosts`
  if (remove) return `one host less was enough for ${quiet / 1_000} s: ${need.reason}`
  return need.reason
}
