// A tree of tiers in processes of their own, with a relay on each link.

import type { ChildProcess } from 'node:child_process'
import { type Relay, startRelay } from '../conformance/relay.ts'
import { holdings, kill, startTier } from './processes.ts'

export const GRACE_MS = 6_000
export const SILENCE_MS = 1_500

const COMMON = ['--grace', String(GRACE_MS), '--silence', String(SILENCE_MS), '--log-level', 'info']

/** How many leaves, and what is above them, if there is anything. */
const SHAPES = {
  leaf: { leaves: 1, proxy: undefined },
  cluster: { leaves: 2, proxy: [] },
  aggregated: { leaves: 2, proxy: ['--vertical', '--policy', 'scatter', '--max-workers', '4'] }
} as const

export type Shape = keyof typeof SHAPES
export const shapes = Object.keys(SHAPES) as Shape[]

export class TreeTier {
  readonly name: string
  readonly link: Relay
  readonly #args: readonly string[]
  #child: ChildProcess
  /** Files and sockets that it had open when it had nothing to do; its memory then. */
  before: ReturnType<typeof holdings> | undefined

  static async start(name: string, args: readonly string[]) {
    const { child, url } = await startTier(['--listen', '127.0.0.1:0', ...COMMON, ...args])
    return new TreeTier(name, child, await startRelay(url), ['--listen', new URL(url).host, ...COMMON, ...args], url)
  }

  /** Where it is without the relay. */
  readonly url: string

  private constructor(name: string, child: ChildProcess, link: Relay, args: readonly string[], url: string) {
    this.name = name
    this.link = link
    this.url = url
    this.#child = child
    this.#args = args
  }

  get pid() {
    return this.#child.pid!
  }

  get isUp() {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT') {
    this.#child.kill(signal)
  }

  kill() {
    return kill(this.#child)
  }

  /** In the place of the one that was killed. */
  async restart() {
    const { child } = await startTier([...this.#args])
    this.#child = child
    this.before = undefined
  }

  async sessions(): Promise<number> {
    const response = await fetch(this.url.replace('ws:', 'http:') + '/healthz')
    return (await response.json() as { sessions: number }).sessions
  }

  async close() {
    await this.kill()
    await this.link.close()
  }
}

export interface Tree {
  leaves: TreeTier[]
  proxies: TreeTier[]
  /** Where clients connect to. */
  top: TreeTier
  /** A Router may be on Workers of several leaves, and media may pass through any of these. */
  spans: boolean
}

export async function startTree(shape: Shape): Promise<Tree> {
  const { leaves: count, proxy } = SHAPES[shape]
  const leaves = await Promise.all(Array.from({ length: count }, (_, i) => TreeTier.start(`leaf ${i}`, [])))
  const proxies = proxy ? [await TreeTier.start(shape, [...proxy, ...leaves.map(({ link }) => link.url)])] : []
  return { leaves, proxies, top: proxies[0] ?? leaves[0]!, spans: shape === 'aggregated' }
}
