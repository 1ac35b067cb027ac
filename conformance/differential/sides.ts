// The two sides of a comparison: plain mediasoup in this process, and a tier with all that is below it, in processes of
// their own where the tier is served.

import type { ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import * as mediasoup from 'mediasoup'
import { client, connect as connectFromSources } from '../../client/index.ts'
import { ask, end, startNode } from '../processes.ts'
import { tiers } from '../tiers/index.ts'
import { Stage } from './stage.ts'

export interface Side {
  stage: Stage
  close(): Promise<void>
}

export function plainSide(): Side {
  const stage = new Stage(mediasoup)
  return { stage, close: async () => stage.close() }
}

/** By its name, or the URL of one that runs already on this machine. `plain` is plain mediasoup once more: it must not differ from itself. */
export async function tierSide(name: string, connect = connectFromSources): Promise<Side> {
  if (name === 'plain') return plainSide()
  const hosts = new Hosts(connect)
  const { below = [], hops } = tiers[name] ?? {}
  const remote = await hosts.open(name)
  const stage = new Stage(remote, Math.max(below.length, 1), hops)
  return {
    stage,
    async close() {
      stage.close()
      remote.close()
      await hosts.close()
    }
  }
}

class Hosts {
  readonly #connect: typeof connectFromSources
  readonly #children: ChildProcess[] = []

  constructor(connect: typeof connectFromSources) {
    this.#connect = connect
  }

  async open(name: string) {
    if (URL.canParse(name)) return this.#connect(name)
    const adapter = tiers[name]
    if (!adapter) throw new Error(`there is no tier ${name}: choose from ${Object.keys(tiers).join(', ')}`)
    if (adapter.served) return this.#connect(await this.#serve(name))
    return client(adapter.tier({ mediasoup, below: await this.#serveAll(adapter.below), files: '' }))
  }

  #serveAll(names: readonly string[] = []): Promise<string[]> {
    return Promise.all(names.map(name => this.#serve(name)))
  }

  async #serve(name: string): Promise<string> {
    const site = { tier: name, below: await this.#serveAll(tiers[name]?.below), files: '' }
    const host = fileURLToPath(new URL('../host.ts', import.meta.url))
    const { child } = startNode([host, JSON.stringify(site)])
    this.#children.push(child)
    return (await ask<{ url: string }>(child)).url
  }

  async close() {
    await Promise.all(this.#children.map(child => end(child)))
  }
}
