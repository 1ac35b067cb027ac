// Kubernetes' HorizontalPodAutoscaler by CPU, with its defaults, on simulated hosts: each 15 s, nothing
// within a tenth of the target, at most double or four more at a time, and down to the most that it
// recommended in 5 minutes. A Pod that it takes away ends when its Workers have ended.

import type { SimulatedCloud } from './simulated-cloud.ts'

const SYNC_MS = 15_000
const TOLERANCE = 0.1
const WINDOW_MS = 300_000

export interface HpaOptions {
  target: number
  min: number
  max: number
}

export function autoscaled(cloud: SimulatedCloud, { target, min, max }: HpaOptions) {
  let next = cloud.at
  let recommended: { at: number; replicas: number }[] = []
  return () => {
    if (cloud.at < next) return
    next = cloud.at + SYNC_MS
    const replicas = cloud.active.length + cloud.starting
    const wanted = Math.max(min, Math.min(max, recommendation(cloud, target)))
    recommended = recommended.filter(({ at }) => cloud.at - at <= WINDOW_MS)
    recommended.push({ at: cloud.at, replicas: wanted })
    const most = Math.max(replicas * 2, replicas + 4)
    if (wanted > replicas) return cloud.start(Math.min(wanted, most) - replicas)
    const stable = Math.max(...recommended.map(({ replicas }) => replicas))
    // A StatefulSet takes away the last ones.
    for (const host of cloud.active.slice(Math.max(1, stable - cloud.starting)))
      host.draining = true
  }
}

/** Pods that are not ready count as idle when there are to be more. */
function recommendation(cloud: SimulatedCloud, target: number): number {
  const { cores, usage } = cloud.options
  const ready = cloud.active
  const all = ready.length + cloud.starting
  const used = ready.reduce((sum, { workers }) => sum + workers * usage, 0)
  const ratio = used / (ready.length * cores) / target
  if (Math.abs(ratio - 1) <= TOLERANCE) return all
  if (ratio < 1) return Math.ceil(ratio * ready.length) + cloud.starting
  const withStarting = used / (all * cores) / target
  return withStarting <= 1 + TOLERANCE ? all : Math.ceil(withStarting * all)
}
