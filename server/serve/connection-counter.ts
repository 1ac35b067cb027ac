// How many sessions there are, from where, and whose.

import ipaddr from 'ipaddr.js'
import type { Limits } from './limits.ts'

type CountLimits = Pick<Limits, 'sessions' | 'sessionsPerAddress'> &
  Partial<Pick<Limits, 'sessionsPerSubject'>>

/** Who has a session. */
export interface Tenant {
  /** That of a token; undefined where there are none. */
  subject?: string | undefined
  /**
   * A tier above: its sessions are those of many clients, which that tier counts by their own
   * addresses and subjects.
   */
  isTier?: boolean
}

export class ConnectionCounter {
  readonly #limits: CountLimits
  readonly #what: string
  readonly #counts = new Map<string, number>()
  #total = 0

  /** @param what is counted, in sentences */
  constructor(limits: CountLimits, what = 'sessions') {
    this.#limits = limits
    this.#what = what
  }

  /** Why one more may not come in: HTTP's status, and a sentence. */
  refusal(address: string, tenant: Tenant = {}): [status: number, why: string] | undefined {
    const { sessions, sessionsPerAddress, sessionsPerSubject = Infinity } = this.#limits
    const what = this.#what
    if (this.#total >= sessions) return [503, `this tier has its ${sessions} ${what}`]
    const [ofAddress = 0, ofSubject = 0] = namesOf(address, tenant).map(name =>
      this.#counts.get(name)
    )
    if (ofAddress >= sessionsPerAddress)
      return [429, `one address has at most ${sessionsPerAddress} ${what}`]
    if (ofSubject >= sessionsPerSubject)
      return [429, `one subject has at most ${sessionsPerSubject} ${what}`]
  }

  /** Answers what to call when they leave. */
  add(address: string, tenant: Tenant = {}): () => void {
    const names = namesOf(address, tenant)
    this.#total++
    for (const name of names) this.#count(name, 1)
    return () => {
      this.#total--
      for (const name of names) this.#count(name, -1)
    }
  }

  #count(name: string, by: 1 | -1) {
    const count = (this.#counts.get(name) ?? 0) + by
    if (count) this.#counts.set(name, count)
    else this.#counts.delete(name)
  }
}

/** What the sessions of a tenant are counted by. */
function namesOf(address: string, { subject, isTier }: Tenant): string[] {
  if (isTier) return []
  const ofAddress = `address ${networkOf(address)}`
  return subject === undefined ? [ofAddress] : [ofAddress, `subject ${subject}`]
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
