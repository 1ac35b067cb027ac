// Starts what a tier under test needs: the tiers below it, and the tier itself if it is served.

import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

import { tiers, type Site } from './tiers/index.ts'

export class Hosts {
  readonly #folder: string
  readonly #workerBin: string
  readonly #processes: ChildProcess[] = []

  constructor(folder: string, workerBin: string) {
    this.#folder = folder
    this.#workerBin = workerBin
  }

  /** Makes a tier ready to be opened from jest. One that is named by its URL is so already. */
  async prepare(tier: string): Promise<Site> {
    if (URL.canParse(tier)) return { tier, url: tier, below: [], files: '' }
    const adapter = tiers[tier]
    if (!adapter) throw new Error(`there is no tier ${tier}: choose from ${Object.keys(tiers).join(', ')}`)
    const below = await Promise.all((adapter.below ?? []).map(name => this.#serve(name)))
    const site = { tier, below, files: join(this.#folder, 'mediasoup/node/lib/test/data') }
    return adapter.served ? { ...site, url: await this.#start(site) } : site
  }

  async close(): Promise<void> {
    await Promise.all(this.#processes.splice(0).map(stop))
  }

  async #serve(tier: string): Promise<string> {
    const site = await this.prepare(tier)
    return site.url ?? this.#start(site)
  }

  async #start(site: Site): Promise<string> {
    const child = fork(join(this.#folder, 'host.cjs'), [JSON.stringify(site)], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: { ...process.env, MEDIASOUP_WORKER_BIN: this.#workerBin }
    })
    this.#processes.push(child)
    let log = ''
    child.stderr?.on('data', chunk => (log += chunk))
    const started = await Promise.race([once(child, 'message'), once(child, 'exit')])
    const { url } = (started[0] ?? {}) as { url?: string }
    if (!url) throw new Error(`the process that serves ${site.tier} ended before it listened:\n${log.trim()}`)
    return url
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.disconnect()
  await exit
}
