// A tree of tiers in processes of their own, with a relay on each link, and each leaf on a host of
// its own, where there may be some.

import { openNetwork } from '../kit/network-namespaces.ts'
import { type Branch, type Shape, shapes } from './shapes.ts'
import { LOCALHOST, TreeTier } from './tier.ts'

export interface TreeOptions {
  /** How long a session outlives its connection, in ms. */
  grace: number
  /** Whether each leaf is on a host of its own, which is a network namespace. */
  namespaces: boolean
  log?: (line: string) => void
}

export interface Tree {
  leaves: TreeTier[]
  /** Those below first. */
  proxies: TreeTier[]
  /** Where clients connect to. */
  top: TreeTier
  /** Where they have their media. */
  address: string
  /** How long a session outlives its connection, in ms. */
  grace: number
  /**
   * Leaves whose Workers may carry what is on a leaf's, too; undefined where each carries only what
   * is on it.
   */
  carriers(leaf: TreeTier): TreeTier[] | undefined
  close(): Promise<void>
}

export async function startTree(
  shape: Shape,
  { grace, namespaces, log }: TreeOptions
): Promise<Tree> {
  const plan = shapes[shape]
  const common = ['--grace', String(grace)]
  const network = namespaces ? openNetwork(hostsOf(plan)) : undefined
  const leaves: TreeTier[] = []
  const proxies: TreeTier[] = []
  const top = await start(plan)
  return {
    leaves,
    proxies,
    top: top.tier,
    address: network?.address ?? LOCALHOST,
    grace,
    carriers: leaf => (plan.spans ? top.groups.find(group => group.includes(leaf)) : undefined),
    async close() {
      for (const tier of [...proxies.toReversed(), ...leaves]) await tier.close()
      network?.remove()
    }
  }

  async function start({
    name,
    args,
    below
  }: Branch): Promise<{ tier: TreeTier; groups: TreeTier[][] }> {
    if (!below) {
      const host = network?.hosts.find(host => host.name === name)
      const address = host?.address ?? LOCALHOST
      const tier = await TreeTier.start(
        name,
        [...common, ...args, '--announced-address', address, '--pipe-address', address],
        log,
        host
      )
      leaves.push(tier)
      return { tier, groups: [[tier]] }
    }
    const started: Awaited<ReturnType<typeof start>>[] = []
    for (const branch of below) started.push(await start(branch))
    const tier = await TreeTier.start(
      name,
      [...common, ...args, ...started.map(({ tier }) => tier.link.url)],
      log
    )
    proxies.push(tier)
    return { tier, groups: started.map(({ groups }) => groups.flat()) }
  }
}

const hostsOf = ({ name, below }: Branch): string[] => (below ? below.flatMap(hostsOf) : [name])
