// A host registers: it says to each registry where it is, again in each third of its lease, and leaves
// when it ends. A registry that is away is tried again, and harms nothing.

import { setTimeout } from 'node:timers/promises'
import type { Host } from './host.ts'
import { type RegistryAccess, askRegistry } from './http/ask.ts'
import { type Log, Trouble } from './log.ts'

export interface RegistrationOptions extends RegistryAccess {
  /** URLs of registries: `http://` or `https://`. */
  registries: readonly string[]
  host: Pick<Host, 'id' | 'url' | 'labels'>
  log: Log
}

export interface Registration {
  /** Leaves all registries: they give no more rooms to the host. */
  leave(): Promise<void>
}

const MIN_WAIT_MS = 250
const MAX_WAIT_MS = 10_000

/**
 * Registers a host from now on.
 *
 * @throws TypeError for the URL of a registry that is none
 */
export function register({ registries, host, log, ...access }: RegistrationOptions): Registration {
  const left = new AbortController()
  const urls = registries.map(registry => urlAt(registry, host.id))
  const kept = urls.map(url => keep(url, left.signal))
  return {
    async leave() {
      left.abort()
      await Promise.all(kept)
      await Promise.all(urls.map(leave))
    }
  }

  async function keep(url: URL, signal: AbortSignal) {
    const facts = { registry: url.origin, host: host.id }
    const trouble = new Trouble(log, facts)
    const { url: own, labels } = host
    let [isThere, wait] = [false, MIN_WAIT_MS]
    while (!signal.aborted) {
      let pause: number
      try {
        const lease = leaseIn(await askRegistry('PUT', url, { url: own, labels }, access))
        if (!isThere) log.info({ ...facts, url: own, lease }, 'registered')
        trouble.ends('registered again')
        ;[isThere, wait, pause] = [true, MIN_WAIT_MS, lease / 3]
      } catch (error) {
        trouble.begins(error as Error, 'could not register: it is tried again')
        // Not all hosts at once when a registry comes back.
        pause = wait * (0.5 + Math.random())
        wait = Math.min(wait * 2, MAX_WAIT_MS)
      }
      await setTimeout(pause, undefined, { signal, ref: false }).catch(() => {})
    }
  }

  async function leave(url: URL) {
    const facts = { registry: url.origin, host: host.id }
    try {
      await askRegistry('DELETE', url, undefined, access)
      log.info(facts, 'has left')
    } catch (error) {
      log.warn({ ...facts, reason: (error as Error).message }, 'could not leave')
    }
  }
}

function urlAt(registry: string, id: string): URL {
  if (!URL.canParse(registry) || !/^https?:$/.test(new URL(registry).protocol))
    throw new TypeError(`a registry is at a URL like https://registry.example (got ${registry})`)
  return new URL(
    `hosts/${encodeURIComponent(id)}`,
    registry.endsWith('/') ? registry : `${registry}/`
  )
}

function leaseIn(answer: unknown): number {
  const { lease } = Object(answer) as { lease?: unknown }
  if (typeof lease === 'number' && lease > 0) return lease
  throw new Error('its answer has no lease: it is no registry')
}

/** The id of a host that has no other one: where it is, in characters that an id may have. */
export const hostIdAt = (url: string) => new URL(url).host.replace(/[^A-Za-z0-9._:-]/g, '')
