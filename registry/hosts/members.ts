// Feeds a live cluster with the hosts of several sources: each URL is one child, however many sources
// name it.

import type { ChildState } from '../../lib/figures.ts'
import type { Tier } from '../../lib/tier.ts'
import type { Host, HostChange, Hosts } from '../host.ts'
import type { Log } from '../log.ts'

/** What is needed of `horizontal`. */
export interface LiveSet extends Iterable<Tier> {
  add(tier: Tier): unknown
  delete(tier: Tier, options?: { drain?: boolean }): boolean
  child(tier: Tier): { state: ChildState } | undefined
}

export interface MembersOptions {
  cluster: LiveSet
  sources: Iterable<Hosts>
  /** Makes a tier of a host. May throw a TypeError. */
  connect(host: Host): Tier
  log: Log
}

/** How long a source that has failed is left alone, in ms. */
const RETRY_MS = 1_000

export class Members {
  readonly #options: MembersOptions
  readonly #ended = new AbortController()
  // The URL of each host of each source, and the tier at each URL that has one of ours.
  readonly #urls = new Map<Hosts, Map<string, string>>()
  readonly #tiers = new Map<string, Tier>()

  constructor(options: MembersOptions) {
    this.#options = options
    for (const source of options.sources) {
      this.#urls.set(source, new Map())
      void this.#follow(source)
    }
  }

  /** The children that are there stay. */
  end() {
    this.#ended.abort()
  }

  async #follow(source: Hosts) {
    const { signal } = this.#ended
    while (!signal.aborted) {
      try {
        for await (const change of source.changes(signal)) this.#take(source, change)
      } catch (error) {
        const { message: reason } = error as Error
        this.#options.log.warn({ reason }, 'hosts cannot be looked up: those that are known stay')
      }
      if (!signal.aborted) await new Promise(resolve => setTimeout(resolve, RETRY_MS).unref())
    }
  }

  #take(source: Hosts, change: HostChange) {
    const urls = this.#urls.get(source)!
    const id = 'gone' in change ? change.gone : change.host.id
    const before = urls.get(id)
    if ('host' in change && isTier(change.host.url)) {
      const { href } = new URL(change.host.url)
      urls.set(id, href)
      this.#add(href, change.host)
    } else urls.delete(id)
    if (before !== undefined && before !== urls.get(id)) this.#remove(before)
  }

  #add(href: string, host: Host) {
    const { cluster, connect, log } = this.#options
    const isThere = this.#tiers.has(href) || [...cluster].some(({ name }) => name === href)
    if (isThere) return
    try {
      const tier = connect(host)
      cluster.add(tier)
      this.#tiers.set(href, tier)
      log.info({ host: href }, 'host has come')
    } catch (error) {
      log.warn({ host: href, reason: (error as Error).message }, 'host cannot be used')
    }
  }

  /**
   * One that is still connected keeps the Workers that it has, and gets no more: they end with their
   * connection.
   */
  #remove(href: string) {
    const { cluster, log } = this.#options
    const tier = this.#tiers.get(href)
    const isNamed = [...this.#urls.values()].some(urls => [...urls.values()].includes(href))
    if (!tier || isNamed) return
    this.#tiers.delete(href)
    log.info({ host: href }, 'host is gone')
    cluster.delete(tier, { drain: CONNECTED.has(cluster.child(tier)?.state ?? 'down') })
  }
}

const CONNECTED: ReadonlySet<ChildState> = new Set<ChildState>(['up', 'lost', 'refused'])

const isTier = (url: string) => /^wss?:/.test(url) && URL.canParse(url)
