// What is attacked: `mafalda serve` in processes of their own, as their operators run them.

import { fileURLToPath } from 'node:url'
import { type Started, ask, end, listening, startNode } from '../processes.ts'

export const targets = ['leaf', 'shared', 'cluster', 'vertical'] as const

export type TargetName = (typeof targets)[number]

const path = (file: string) => fileURLToPath(new URL(file, import.meta.url))

const MAX_LINES = 30
const MAX_PAYLOAD = 8 * 1024 * 1024

/** A process that is attacked. */
export class Tier {
  readonly url: string
  readonly #process: Started

  static async start(...args: string[]): Promise<Tier> {
    const command = ['--expose-gc', '--import', path('heap.ts'), path('../../mafalda.ts')]
    const started = startNode([
      ...command,
      'serve',
      '--listen',
      '127.0.0.1:0',
      '--max-payload',
      String(MAX_PAYLOAD),
      ...args
    ])
    return new Tier(started, await listening(started))
  }

  private constructor(started: Started, url: string) {
    this.#process = started
    this.url = url
  }

  /** Why it is gone, if it is, with the last that it said. */
  async problem(): Promise<string | undefined> {
    const { child, lines, errors, exited } = this.#process
    if (child.connected) return undefined
    const [code, signal] = await exited
    return [
      `the process ended with ${signal ?? code}:`,
      ...lines.slice(-MAX_LINES),
      ...errors.slice(-MAX_LINES)
    ].join('\n')
  }

  /** In bytes, without what is garbage. */
  async heap(): Promise<number> {
    return (await ask<{ heap: number }>(this.#process.child, { heap: true })).heap
  }

  stop() {
    return end(this.#process.child)
  }
}

/**
 * The tiers of a target; the first is the one that is attacked, and the leaves are those whose
 * loads must fall back.
 */
export async function startTarget(name: TargetName): Promise<{ tiers: Tier[]; leaves: Tier[] }> {
  if (name === 'cluster') {
    const leaves = await Promise.all([Tier.start(), Tier.start()])
    return { tiers: [await Tier.start(...leaves.map(({ url }) => url)), ...leaves], leaves }
  }
  const tier = await Tier.start(
    ...(name === 'vertical' ? ['--vertical'] : name === 'shared' ? ['--share-workers'] : [])
  )
  return { tiers: [tier], leaves: [tier] }
}
