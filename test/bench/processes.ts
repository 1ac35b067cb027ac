// The processes that are measured: tiers of the built product, and hops.

import type { ChildProcess } from 'node:child_process'
import { mafalda } from '../kit/product.ts'
import { ask, startScript, startTier } from '../kit/processes.ts'

export { ask, end, startScript } from '../kit/processes.ts'

// The rate is kept nevertheless: it is measured with the rest.
const UNLIMITED = ['--limits', 'rate=1000000000']

/** A process that serves a tier. */
export interface Served {
  child: ChildProcess
  url: string
}

/** `mafalda serve`, of this host or of the tiers at some URLs; resolves when it listens. */
export function startLeaf(
  urls: string[] = [],
  listen = '127.0.0.1:0',
  options: string[] = []
): Promise<Served> {
  const args = ['--listen', listen, ...UNLIMITED, ...options, ...urls]
  return startTier(args, { command: mafalda, stderr: 'inherit' })
}

export type Role = 'relay' | 'cluster' | 'vertical'

/** A process between a client and the tiers at some URLs; see hop.ts. */
export async function startHop(role: Role, urls: string[]): Promise<Served> {
  const child = startScript('bench/hop', [role, ...urls], { nodeArgs: ['--expose-gc'] })
  return { child, url: await ask(child) }
}
