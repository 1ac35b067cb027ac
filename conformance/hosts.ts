// Starts what a tier under test needs: the tiers below it, the tier itself if it is served, and
// relays between them if their connections are to break.

import type { ChildProcess } from 'node:child_process'

import { ask, end, startNode } from './processes.ts'
import { startRelay, type Relay } from './relay.ts'
import { tiers, type Site } from './tiers/index.ts'

export interface HostsOptions {
  /** What serves a tier: host.ts, or a bundle of it. */
  script: string
  /** A mediasoup-worker for them. Default: as in this process. */
  workerBin?: string
  /** A folder whose files tiers may open. Default: none. */
  files?: string
  /** Each connection breaks when it is about so old, in s; without it, none does. */
  cut?: number
}

export class Hosts {
  readonly #options: HostsOptions
  readonly #processes: ChildProcess[] = []
  readonly #relays: Relay[] = []

  constructor(options: HostsOptions) {
    this.#options = options
  }

  /** How many connections there have been, if they were to break. */
  get connections() {
    return this.#relays.reduce((sum, { connections }) => sum + connections, 0)
  }

  /** Makes a tier ready to be opened. One that is named by its URL is so already. */
  async prepare(tier: string): Promise<Site> {
    const { files = '', cut } = this.#options
    const common = { tier, cut: cut !== undefined, files }
    if (URL.canParse(tier)) return { ...common, url: await this.#relayed(tier), below: [] }
    const adapter = tiers[tier]
    if (!adapter)
      throw new Error(`there is no tier ${tier}: choose from ${Object.keys(tiers).join(', ')}`)
    const below = await Promise.all((adapter.below ?? []).map(name => this.#serve(name)))
    const site = { ...common, below }
    return adapter.served ? { ...site, url: await this.#relayed(await this.#start(site)) } : site
  }

  async close(): Promise<void> {
    await Promise.all(this.#relays.splice(0).map(relay => relay.close()))
    await Promise.all(this.#processes.splice(0).map(child => end(child)))
  }

  async #relayed(url: string): Promise<string> {
    const { cut } = this.#options
    if (cut === undefined) return url
    // They do not all break together.
    const relay = await startRelay(url, { lifetime: () => cut * 1000 * (0.5 + Math.random()) })
    this.#relays.push(relay)
    return relay.url
  }

  async #serve(tier: string): Promise<string> {
    const site = await this.prepare(tier)
    return site.url ?? this.#relayed(await this.#start(site))
  }

  async #start(site: Site): Promise<string> {
    const { script, workerBin } = this.#options
    const env = { ...process.env, ...(workerBin && { MEDIASOUP_WORKER_BIN: workerBin }) }
    const { child } = startNode([script, JSON.stringify(site)], { env })
    this.#processes.push(child)
    return (await ask<{ url: string }>(child)).url
  }
}
