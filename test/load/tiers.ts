// The tiers that carry the load, as users start them, and what each process has.

import type { ChildProcess } from 'node:child_process'
import { get } from 'node:http'
import { json } from 'node:stream/consumers'
import { ask, childrenOf, filesOf, memoryOf, startTier } from '../kit/processes.ts'
import { mafalda } from '../kit/product.ts'
import { QUESTION, type Sample } from './probe.ts'

/** How many leaves, and what is above them, if there is anything. */
const SHAPES = {
  leaf: { leaves: 1, proxy: undefined },
  cluster: { leaves: 2, proxy: [] },
  aggregated: { leaves: 2, proxy: ['--vertical', '--max-workers', '4'] }
} as const

export type Shape = keyof typeof SHAPES
export const shapes = Object.keys(SHAPES) as Shape[]

const ERROR_LEVEL = 50
// What leaves may have, however many cores there are: the Workers of all sessions are shares of
// these.
const LEAF_ARGS = ['--share-workers', '--pool-size', '2']

const PROBE = new URL('./probe.ts', import.meta.url).href
/** Node.js with what asks a process. */
export const PROBED = ['--expose-gc', '--import', PROBE]

export interface Holdings extends Sample {
  files: number
  /** All of its mediasoup-workers together, in bytes. */
  workers: number
}

export class ProbedProcess {
  readonly name: string
  readonly child: ChildProcess

  constructor(name: string, child: ChildProcess) {
    this.name = name
    this.child = child
  }

  get workers(): number[] {
    return []
  }

  async holdings(): Promise<Holdings> {
    const sample = await ask<Sample>(this.child, QUESTION)
    const workers = this.workers.reduce((sum, worker) => sum + memoryOf(worker), 0)
    return { ...sample, files: filesOf(this.child.pid!), workers }
  }
}

export class Tier extends ProbedProcess {
  readonly url: string
  /** Errors in its log. */
  readonly errors: string[] = []

  static async start(name: string, args: readonly string[]): Promise<Tier> {
    const options = { command: mafalda, nodeArgs: PROBED, stderr: 'inherit' } as const
    const { child, url, output } = await startTier(args, options)
    const tier = new Tier(name, child, url)
    output.on('line', line => {
      if (JSON.parse(line).level >= ERROR_LEVEL) tier.errors.push(line)
    })
    return tier
  }

  private constructor(name: string, child: ChildProcess, url: string) {
    super(name, child)
    this.url = url
  }

  async sessions(): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    get(this.url.replace('ws:', 'http:') + '/healthz', { agent: false }, response =>
      resolve(json(response))
    ).on('error', reject)
    return ((await promise) as { sessions: number }).sessions
  }

  override get workers() {
    return childrenOf(this.child.pid!)
  }

  /** Resolves with its exit code. */
  end(): Promise<number | null> {
    const { promise, resolve } = Promise.withResolvers<number | null>()
    this.child.once('exit', resolve)
    this.child.kill('SIGTERM')
    return promise
  }
}

/** @param more arguments of what is above the leaves */
export async function startTiers(shape: Shape, more: readonly string[] = []) {
  const { leaves: count, proxy } = SHAPES[shape]
  const leaves = await Promise.all(
    Array.from({ length: count }, (_, i) =>
      Tier.start(count > 1 ? `leaf ${i + 1}` : 'leaf', LEAF_ARGS)
    )
  )
  const proxies = proxy
    ? [await Tier.start(shape, [...proxy, ...more, ...leaves.map(({ url }) => url)])]
    : []
  return { leaves, proxies, top: proxies[0] ?? leaves[0]! }
}
