// How many sessions there are, and from where.

import ipaddr from 'ipaddr.js'
import type { Limits } from './limits.ts'

export class ConnectionCounter {
  readonly #limits: Pick<Limits, 'sessions' | 'sessionsPerAddress'>
  readonly #counts = new Map<string, number>()
  #total = 0

  constructor(limits: Pick<Limits, 'sessions' | 'sessionsPerAddress'>) {
    this.#limits = limits
  }

  /** Why one more may not come in: HTTP's status, and a sentence. */
  refusal(address: string): [status: number, why: string] | undefined {
    const { sessions, sessionsPerAddress } = this.#limits
    if (this.#total >= sessions) return [503, `this tier has its ${sessions} sessions`]
    if ((this.#counts.get(networkOf(address)) ?? 0) >= sessionsPerAddress)
      return [429, `one address has at most ${sessionsPerAddress} sessions`]
  }

  /** Answers what to call when they leave. */
  add(address: string): () => void {
    const network = networkOf(address)
    this.#total++
    this.#counts.set(network, (this.#counts.get(network) ?? 0) + 1)
    return () => {
      this.#total--
      const left = this.#counts.get(network)! - 1
      if (left) this.#counts.set(network, left)
      else this.#counts.delete(network)
    }
  }
}

/** Whoever has one address of IPv6 has the 2^64 of its network: they count as one. */
export function networkOf(address: string): string {
  if (!ipaddr.isValid(address)) return address
  const parsed = ipaddr.process(address) // One of IPv4 may be written as IPv6.
  return parsed instanceof ipaddr.IPv6
    ? parsed.parts
        .slice(0, 4)
        .map(part => part.toString(16))
        .join(':')
    : parsed.toString()
}
