// A run: a tree, clients, the schedule, and what has to hold throughout and at the end.

import type { ChildProcess } from 'node:child_process'
import { setTimeout as setTimeoutPromise } from 'node:timers/promises'
import { Judge } from './judge.ts'
import type { News, Order } from './news.ts'
import { childrenOf, holdings, isAlive, kill, startScript } from './processes.ts'
import { type Scope, type Step, scheduleOf } from './schedule.ts'
import { GRACE_MS, SILENCE_MS, type Shape, type Tree, type TreeTier, startTree } from './tree.ts'

export interface ChaosOptions extends Scope {
  seed: number
  seconds: number
  shape: Shape
  clients?: number
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

const FIRST_FLOWS_MS = 30_000
const QUIET_MS = 60_000
// What a process keeps of what it has done, be it buffers or code that was compiled.
const MEMORY_BYTES = 150e6

export async function chaos({ seed, seconds, shape, clients: count = 3, killProxies, log = () => {} }: ChaosOptions): Promise<Outcome> {
  const judge = new Judge()
  const tree = await startTree(shape)
  const tiers = [...tree.leaves, ...tree.proxies]
  // A proxy has its own sessions on the leaves.
  await until('the tree is up', async () => await sessionsOf(tree.leaves) >= tree.proxies.length * tree.leaves.length, FIRST_FLOWS_MS)
  for (const tier of tiers) tier.before = holdings(tier.pid)
  const clients = Array.from({ length: count }, (_, i) => new Client(tree, judge, killProxies, seed + i, i))
  await until('media flows', () => clients.every(({ flows }) => flows > 0), FIRST_FLOWS_MS)

  const healing = new Set<Promise<void>>()
  const steps = scheduleOf(seed, seconds * 1000, { killProxies })
  for (const step of steps) {
    await setTimeoutPromise(step.after)
    log(JSON.stringify(step))
    const healed = carryOut(step, tree, clients, judge).catch(error => { judge.wrong.push(`${JSON.stringify(step)}: ${error.message}`) })
    healing.add(healed)
    void healed.finally(() => healing.delete(healed))
  }
  await Promise.all(healing)

  log('quiet')
  for (const client of clients) client.order('quiet')
  await until('all clients are whole again', () => clients.every(({ isQuiet }) => isQuiet), QUIET_MS).catch(error => { judge.wrong.push(error.message) })
  for (const client of clients) client.order('close')
  await isNothingLeft(tree, judge)
  for (const client of clients) await client.kill()
  for (const tier of tiers.toReversed()) await tier.close()
  return { wrong: judge.wrong, recoveries: judge.recoveries, steps: steps.length, flows: judge.flows }
}

/** An application that is started again when it was killed. */
class Client {
  readonly #tree: Tree
  readonly #judge: Judge
  readonly #killProxies: boolean
  readonly #seed: number
  readonly #number: number
  #generation = 0
  #child!: ChildProcess
  flows = 0
  isQuiet = false

  constructor(tree: Tree, judge: Judge, killProxies: boolean, seed: number, number: number) {
    this.#tree = tree
    this.#judge = judge
    this.#killProxies = killProxies
    this.#seed = seed
    this.#number = number
    this.start()
  }

  get #name() {
    return `client ${this.#number}.${this.#generation}`
  }

  start() {
    this.#generation++
    const child = startScript('client', [this.#tree.top.link.url, this.#name, String(this.#seed + this.#generation), String(SILENCE_MS), ...this.#killProxies ? ['--kill-proxies'] : []])
    this.#child = child
    child.on('message', (news: News) => {
      if (child !== this.#child) return
      if (news.tell === 'flow') this.flows++
      if (news.tell === 'quiet') this.isQuiet = true
      this.#judge.hear(news)
    })
    child.once('exit', code => {
      if (code) this.#judge.wrong.push(`${this.#name} ended with ${code}`)
    })
  }

  order(order: Order) {
    if (this.#child.connected) this.#child.send(order)
  }

  async kill() {
    this.#judge.forget(this.#name)
    await kill(this.#child)
  }
}

/** Resolves when what can be healed is. */
async function carryOut(step: Step, tree: Tree, clients: Client[], judge: Judge): Promise<void> {
  const { leaves, proxies } = tree
  const tiers = [...leaves, ...proxies]
  const of = <T>(targets: T[], number: number): T => targets[number % targets.length]!
  switch (step.do) {
    case 'cut': return of(tiers, step.link).link.breakAll()
    case 'hang': return of(tiers, step.link).link.hang()
    case 'slow': {
      const { link } = of(tiers, step.link)
      link.slow(step)
      await setTimeoutPromise(step.ms)
      return link.slow({})
    }
    case 'freeze': {
      const { link } = of(tiers, step.link)
      link.freeze()
      await setTimeoutPromise(step.ms)
      return link.thaw()
    }
    case 'pause': {
      const tier = of(tiers, step.tier)
      if (!tier.isUp) return
      tier.signal('SIGSTOP')
      await setTimeoutPromise(step.ms)
      return tier.signal('SIGCONT')
    }
    case 'killWorker': {
      const leaf = of(leaves, step.leaf)
      const workers = leaf.isUp ? childrenOf(leaf.pid) : []
      if (!workers.length) return
      const pid = of(workers, step.worker)
      // What comes to a host from another one goes to its other Workers from there.
      judge.touch(tree.spans ? workers : [pid])
      process.kill(pid, 'SIGKILL')
      return
    }
    case 'killLeaf': return killAndRestart(of(leaves, step.leaf), step.ms, judge)
    case 'killProxy': return proxies.length ? killAndRestart(of(proxies, step.proxy), step.ms, judge) : undefined
    case 'killClient': {
      const client = of(clients, step.client)
      await client.kill()
      return client.start()
    }
  }
}

async function killAndRestart(tier: TreeTier, ms: number, judge: Judge) {
  if (!tier.isUp) return
  const workers = childrenOf(tier.pid)
  judge.touch(workers)
  await tier.kill()
  const start = performance.now()
  await until(`the Workers of ${tier.name} end with it`, () => !workers.some(isAlive), ms + FIRST_FLOWS_MS)
  if (workers.length) judge.recovered('workers gone', performance.now() - start)
  await setTimeoutPromise(ms)
  await tier.restart()
}

const sessionsOf = async (tiers: TreeTier[]) => (await Promise.all(tiers.map(tier => tier.sessions()))).reduce((sum, count) => sum + count, 0)

/** All sessions were closed: what a tier had open is closed, no later than the grace period after. */
async function isNothingLeft({ leaves, proxies }: Tree, judge: Judge) {
  const expect = async (what: string, isSo: () => boolean | Promise<boolean>) => {
    await until(what, isSo, SILENCE_MS * 2 + GRACE_MS * 2 + 10_000).catch(error => { judge.wrong.push(error.message) })
  }
  for (const proxy of proxies) await expect(`no session is left on ${proxy.name}`, async () => await proxy.sessions() === 0)
  for (const leaf of leaves) {
    await expect(`only the cluster's session is left on ${leaf.name}`, async () => await leaf.sessions() === proxies.length)
    await expect(`no Worker is left on ${leaf.name}`, () => childrenOf(leaf.pid).length === 0)
  }
  for (const tier of [...leaves, ...proxies]) {
    const { name, pid, before } = tier
    if (!before) continue // It was started again.
    // A connection that was kept alive for /healthz may be open.
    await expect(`${name} has no more files open than before (${before.files}, and ${holdings(pid).files} now)`, () => holdings(pid).files <= before.files + 1)
    const { memory } = holdings(pid)
    if (memory > before.memory + MEMORY_BYTES) judge.wrong.push(`${name} has ${Math.round(memory / 1e6)} MB, and had ${Math.round(before.memory / 1e6)} MB`)
  }
}

async function until(what: string, condition: () => boolean | Promise<boolean>, ms: number) {
  const deadline = performance.now() + ms
  while (!await condition()) {
    if (performance.now() > deadline) throw new Error(`this did not come true within ${ms / 1000} s: ${what}`)
    await setTimeoutPromise(20)
  }
}
