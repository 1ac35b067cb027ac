// How things are broken, and healed.

import { setTimeout as setTimeoutPromise } from 'node:timers/promises'
import { childrenOf, isAlive } from '../kit/processes.ts'
import { until } from '../kit/until.ts'
import type { Application } from './application.ts'
import type { Judge } from './judge.ts'
import type { Step } from './schedule.ts'
import type { TreeTier } from './tier.ts'
import type { Tree } from './tree.ts'

const WORKERS_GONE_SECONDS = 60

/** Resolves when what can be healed is. */
export async function carryOut(
  step: Step,
  tree: Tree,
  applications: Application[],
  judge: Judge
): Promise<void> {
  const { leaves, proxies } = tree
  const tiers = [...leaves, ...proxies]
  const of = <T>(targets: T[], number: number): T => targets[number % targets.length]!
  const met = <T>(target: T): T => {
    if (target === tree.top) judge.touchTop(step.do)
    return target
  }
  switch (step.do) {
    case 'cut':
      return met(of(tiers, step.link)).link.breakAll()
    case 'hang':
      return met(of(tiers, step.link)).link.hang()
    case 'slow': {
      const { link } = met(of(tiers, step.link))
      link.slow(step)
      await setTimeoutPromise(step.ms)
      return link.slow({})
    }
    case 'freeze': {
      const { link } = met(of(tiers, step.link))
      link.freeze()
      await setTimeoutPromise(step.ms)
      return link.thaw()
    }
    case 'pause': {
      const tier = met(of(tiers, step.tier))
      if (!tier.isUp) return
      tier.signal('SIGSTOP')
      await setTimeoutPromise(step.ms)
      return tier.signal('SIGCONT')
    }
    case 'unplug': {
      const { host } = met(of(leaves, step.leaf))
      host?.unplug()
      await setTimeoutPromise(step.ms)
      return host?.plugIn()
    }
    case 'killWorker': {
      const leaf = of(leaves, step.leaf)
      const workers = workersOf(leaf)
      if (!workers.length) return
      const pid = of(workers, step.worker)
      const carriers = tree.carriers(leaf)
      judge.touch(carriers ? carriers.flatMap(workersOf) : [pid], step.do)
      process.kill(pid, 'SIGKILL')
      return
    }
    case 'killLeaf': {
      const leaf = met(of(leaves, step.leaf))
      judge.touch((tree.carriers(leaf) ?? [leaf]).flatMap(workersOf), step.do)
      return killAndRestart(leaf, step, tree, judge)
    }
    case 'killProxy':
      return proxies.length
        ? killAndRestart(met(of(proxies, step.proxy)), step, tree, judge)
        : undefined
    case 'killClient': {
      const application = of(applications, step.client)
      await application.kill()
      return application.start()
    }
  }
}

type Kill = Extract<Step, { do: 'killLeaf' | 'killProxy' }>

async function killAndRestart(tier: TreeTier, step: Kill, tree: Tree, judge: Judge) {
  if (!tier.isUp) return
  const workers = workersOf(tier)
  // A machine that is busy starts a process late, and the sessions below wait no longer than the
  // grace period: half of it is left for those above to come back.
  const late = setTimeout(
    () => judge.touch(tree.leaves.flatMap(workersOf), step.do),
    tree.grace / 2
  )
  await tier.kill()
  const start = performance.now()
  await until(
    () => !workers.some(isAlive),
    WORKERS_GONE_SECONDS,
    `the Workers of ${tier.name} end with it`
  )
  if (workers.length) judge.recovered('Workers gone', performance.now() - start, step.do)
  await setTimeoutPromise(step.ms)
  await tier.restart()
  clearTimeout(late)
}

const workersOf = (tier: TreeTier) => (tier.isUp ? childrenOf(tier.pid) : [])
