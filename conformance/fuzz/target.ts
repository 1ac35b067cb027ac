// What is attacked: `mafalda serve` in processes of their own, as their operators run them.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export const targets = ['leaf', 'shared', 'cluster', 'vertical'] as const

export type TargetName = (typeof targets)[number]

const path = (file: string) => fileURLToPath(new URL(file, import.meta.url))

const MAX_LINES = 30

/** A process that is attacked. */
export class Tier {
  readonly url: string
  readonly #child: ChildProcess
  readonly #lines: string[]
  readonly #exited: Promise<unknown>

  static async start(...args: string[]): Promise<Tier> {
    const child = spawn(process.execPath, ['--expose-gc', '--import', path('heap.ts'), path('../../mafalda.ts'), 'serve', '--listen', '127.0.0.1:0', '--max-payload', String(8 * 1024 * 1024), ...args], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc']
    })
    const lines: string[] = []
    for (const stream of [child.stdout!, child.stderr!]) {
      createInterface(stream).on('line', line => {
        lines.push(line)
        if (lines.length > MAX_LINES) lines.shift()
      })
    }
    const url = await Promise.race([listening(child), once(child, 'exit').then(() => undefined)])
    if (!url) throw new Error(`the tier ended before it listened:\n${lines.join('\n')}`)
    return new Tier(child, url, lines)
  }

  private constructor(child: ChildProcess, url: string, lines: string[]) {
    this.#child = child
    this.url = url
    this.#lines = lines
    this.#exited = once(child, 'exit')
  }

  /** Why it is gone, if it is, with the last that it said. */
  async problem(): Promise<string | undefined> {
    if (!this.#child.connected) await this.#exited
    const { exitCode, signalCode } = this.#child
    return exitCode === null && signalCode === null ? undefined : `the process ended with ${signalCode ?? exitCode}:\n${this.#lines.join('\n')}`
  }

  /** In bytes, without what is garbage. */
  async heap(): Promise<number> {
    this.#child.send({ heap: true })
    const [{ heap }] = await once(this.#child, 'message') as [{ heap: number }]
    return heap
  }

  async stop() {
    if (this.#child.connected) this.#child.disconnect()
    await this.#exited
  }
}

function listening({ stdout }: ChildProcess): Promise<string> {
  return new Promise(resolve => createInterface(stdout!).on('line', line => {
    const url = /"url":"(ws:[^"]+)".*"msg":"listening"/.exec(line)?.[1]
    if (url) resolve(url)
  }))
}

/** The tiers of a target; the first is the one that is attacked, and the leaves are those whose loads must fall back. */
export async function startTarget(name: TargetName): Promise<{ tiers: Tier[]; leaves: Tier[] }> {
  if (name === 'cluster') {
    const leaves = await Promise.all([Tier.start(), Tier.start()])
    return { tiers: [await Tier.start(...leaves.map(({ url }) => url)), ...leaves], leaves }
  }
  const tier = await Tier.start(...name === 'vertical' ? ['--vertical'] : name === 'shared' ? ['--share-workers'] : [])
  return { tiers: [tier], leaves: [tier] }
}
