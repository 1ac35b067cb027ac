// All sessions were closed: what a tier had open is closed, no later than the grace period after.

import { childrenOf } from '../kit/processes.ts'
import { until } from '../kit/until.ts'
import type { Judge } from './judge.ts'
import { SILENCE_MS } from './tier.ts'
import type { Tree } from './tree.ts'

// What a process keeps of what it has done, be it buffers or code that was compiled.
const MEMORY_BYTES = 150e6
// For a machine that is busy.
const SPARE_SECONDS = 60

export async function isNothingLeft({ leaves, proxies, top }: Tree, judge: Judge, grace: number) {
  const seconds = (SILENCE_MS * 2 + grace * 2) / 1000 + SPARE_SECONDS
  const expect = (what: string, isSo: () => boolean | Promise<boolean>) =>
    until(isSo, seconds, what).catch(error => judge.blame(error.message))
  // The tier above has a session of its own, through which nothing is created.
  for (const tier of [...proxies.toReversed(), ...leaves]) {
    const own = tier === top ? 0 : 1
    await expect(
      `${own} sessions are left on ${tier.name}`,
      async () => (await tier.sessions()) === own
    )
  }
  for (const leaf of leaves)
    await expect(`no Worker is left on ${leaf.name}`, () => childrenOf(leaf.pid).length === 0)
  for (const tier of [...leaves, ...proxies]) {
    const { name, before } = tier
    const { files, memory } = before!
    // A connection that was kept alive for /healthz may be open.
    await expect(
      `${name} has no more files and sockets open than when it was new (${files}, and ${tier.holdings().files} now)`,
      () => tier.holdings().files <= files + 1
    )
    const now = tier.holdings().memory
    if (now > memory + MEMORY_BYTES)
      judge.blame(`${name} has ${Math.round(now / 1e6)} MB, and had ${Math.round(memory / 1e6)} MB`)
  }
}
