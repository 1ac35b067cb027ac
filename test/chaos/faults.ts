// How things are broken, and healed.

import { setTimeout as setTimeoutPromise } from 'node:timers/promises'
import type { Application } from './application.ts'
import type { Judge } from './judge.ts'
import { childrenOf, isAlive } from './processes.ts'
import type { Fault, Step } from './schedule.ts'
import type { TreeTier } from './tier.ts'
import type { Tree } from './tree.ts'
import { until } from './until.ts'

const WORKERS_GONE_MS = 30_000

/** Resolves when what can be healed is. */
export async function carryOut(step: Step, tree: Tree, applications: Application[], judge: Judge): Promise<void> {
  const { leaves, proxies } = tree
  const tiers = [...leaves, ...proxies]
  const of = <T>(targets: T[], number: number): T => targets[number % targets.length]!
  const met = <T>(target: T): T => {
    if (target === tree.top) judge.touchTop(step.do)
    return target
  }
  switch (step.do) {
    case 'cut': return met(of(tiers, step.link)).link.breakAll()
    case 'hang': return met(of(tiers, step.link)).link.hang()
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
      return killAndRestart(leaf, step.do, step.ms, judge)
    }
    case 'killProxy': return proxies.length ? killAndRestart(met(of(proxies, step.proxy)), step.do, step.ms, judge) : undefined
    case 'killClient': {
      const application = of(applications, step.client)
      await application.kill()
      return application.start()
    }
  }
}

async function killAndRestart(tier: TreeTier, fault: Fault, ms: number, judge: Judge) {
  if (!tier.isUp) return
  const workers = workersOf(tier)
  await tier.kill()
  const start = performance.now()
  await until(`the Workers of ${tier.name} end with it`, () => !workers.some(isAlive), ms + WORKERS_GONE_MS)
  if (workers.length) judge.recovered('Workers gone', performance.now() - start, fault)
  await setTimeoutPromise(ms)
  await tier.restart()
}

const workersOf = (tier: TreeTier) => tier.isUp ? childrenOf(tier.pid) : []
