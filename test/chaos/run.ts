// A run: a tree, applications, the schedule, and what has to hold throughout and at the end.

import { setTimeout as setTimeoutPromise } from 'node:timers/promises'
import { until, within } from '../kit/until.ts'
import { Application } from './application.ts'
import { carryOut } from './faults.ts'
import { Judge } from './judge.ts'
import { isNothingLeft } from './leftovers.ts'
import { type Scope, scheduleOf } from './schedule.ts'
import type { Shape } from './shapes.ts'
import type { TreeTier } from './tier.ts'
import { type Tree, type TreeOptions, startTree } from './tree.ts'

export interface ChaosOptions extends Scope, TreeOptions {
  seed: number
  seconds: number
  shape: Shape
  applications?: number
  log?: (line: string) => void
}

export interface Outcome {
  /** What should not have been. */
  wrong: string[]
  /** How long it took until something was as before, in ms. */
  recoveries: Map<string, number[]>
  steps: number
  flows: number
}

const FIRST_FLOWS_SECONDS = 120
const QUIET_SECONDS = 300
// Longer than each of the waits that are a part of it.
const HEALING_SECONDS = 240

export async function chaos({
  seed,
  seconds,
  shape,
  grace,
  namespaces,
  applications: count = 3,
  faults,
  perMinute,
  log = () => {}
}: ChaosOptions): Promise<Outcome> {
  const judge = new Judge(log)
  const tree = await startTree(shape, { grace, namespaces, log })
  try {
    const steps = scheduleOf(seed, seconds * 1000, { faults, perMinute })
    await isUp(tree)
    const applications = Array.from(
      { length: count },
      (_, i) => new Application(tree, judge, faults.includes('killProxy'), seed + i, i)
    )
    await until(
      () => applications.every(({ flows }) => flows > 0),
      FIRST_FLOWS_SECONDS,
      'media flows'
    )

    const healing = new Set<Promise<void>>()
    for (const step of steps) {
      await setTimeoutPromise(step.after)
      log(JSON.stringify(step))
      const what = JSON.stringify(step)
      const healed = within(
        carryOut(step, tree, applications, judge),
        HEALING_SECONDS,
        `${what} is over`
      ).catch(error => judge.blame(`${what}: ${error.message}`))
      healing.add(healed)
      void healed.finally(() => healing.delete(healed))
    }
    await Promise.all(healing)

    log('quiet')
    for (const application of applications) application.order('quiet')
    const isWhole = await until(
      () => applications.every(({ isQuiet }) => isQuiet),
      QUIET_SECONDS,
      'all applications are whole again'
    ).then(
      () => true,
      error => judge.blame(error.message)
    )
    for (const application of applications) application.order('close')
    if (isWhole) await isNothingLeft(tree, judge, grace)
    for (const application of applications) await application.kill()
    return {
      wrong: judge.wrong,
      recoveries: judge.recoveries,
      steps: steps.length,
      flows: judge.flows
    }
  } finally {
    await tree.close()
  }
}

/** Each tier below another one has a session of that. */
async function isUp({ leaves, proxies, top }: Tree) {
  const tiers = [...leaves, ...proxies]
  const isUp = async (tier: TreeTier) => tier === top || (await tier.sessions()) > 0
  await until(
    async () => (await Promise.all(tiers.map(isUp))).every(Boolean),
    FIRST_FLOWS_SECONDS,
    'the tree is up'
  )
  for (const tier of tiers) tier.before = tier.holdings()
}
