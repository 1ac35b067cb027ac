// A process between a client and the tiers at URLs: `relay` copies frames, `cluster` and `vertical`
// are what `mafalda serve` makes of URLs. Asked for its `heap` or its `cpu`, it answers.

import { availableParallelism } from 'node:os'
import { heap } from '../kit/heap.ts'
import type { Role } from './processes.ts'
import { horizontal, remote, serve, vertical } from '../kit/product.ts'
import { serveRelay } from './relay.ts'

const [role, ...urls] = process.argv.slice(2) as [Role, ...string[]]

// The rate is kept nevertheless: it is measured with the rest.
const limits = { rate: 1_000_000_000 }
const cluster = () => horizontal(urls.map(url => remote(url)))
const ROLES = {
  relay: () => serveRelay(urls[0]!),
  cluster: () => serve(cluster(), { limits }),
  // The leaves share the cores, of which each counts them all.
  vertical: () => serve(vertical(cluster(), { maxWorkers: availableParallelism() }), { limits })
}

const QUESTIONS: Record<string, () => unknown> = { heap, cpu }

process.on('message', async question => process.send!(await QUESTIONS[question as string]!()))
process.send!((await ROLES[role]()).url)

/** CPU time, in µs. */
function cpu() {
  const { user, system } = process.cpuUsage()
  return user + system
}
