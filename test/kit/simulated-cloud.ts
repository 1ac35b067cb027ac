// Hosts that are only numbers, in virtual time: a provider that takes its time to start them, and
// Workers that come, stay for a while and go.

import type { ScaledHost, Wanted } from '../../lib/wanted.ts'
import { scale } from '../../proxy/placement/scale.ts'
import { beginScaling } from '../../proxy/placement/scale-state.ts'
import type { ScaleOptions } from '../../proxy/placement/scale-options.ts'

const WATERMARK = 0.6

export interface CloudOptions {
  /** Cores of a host; each takes one Worker. */
  cores: number
  /** What a Worker uses of its core. */
  usage: number
  /** How long the provider takes to start a host, in ms. */
  warmup: number
  /** Where Workers go: to the host with most free cores, or to the first one below 0.6. */
  placement?: 'most-free' | 'first'
}

interface SimulatedHost {
  name: string
  workers: number
  draining: boolean
  /** It was there, and does not tell its load any more. */
  silent: boolean
}

export class SimulatedCloud {
  at = 0
  /** Machines that somebody pays for, from when they are asked for until they are gone. */
  hostMs = 0
  refused = 0
  readonly hosts = new Map<string, SimulatedHost>()
  readonly options: CloudOptions
  readonly #starting: number[] = []
  readonly #leaving = new Map<number, SimulatedHost[]>()
  #names = 0
  #refusedOfLate = 0

  constructor(options: CloudOptions, hosts: number) {
    this.options = options
    for (let i = 0; i < hosts; i++) this.#add()
  }

  get starting() {
    return this.#starting.length
  }

  get machines() {
    return this.hosts.size + this.#starting.length
  }

  get active() {
    return [...this.hosts.values()].filter(({ draining }) => !draining)
  }

  start(count: number) {
    for (let i = 0; i < count; i++) this.#starting.push(this.at + this.options.warmup)
  }

  /** Time goes on to the next step. */
  step(ms: number) {
    this.hostMs += this.machines * ms
    const before = this.at
    this.at += ms
    while (this.#starting[0]! <= this.at) {
      this.#starting.shift()
      this.#add()
    }
    for (let second = Math.floor(before / 1_000); second < Math.floor(this.at / 1_000); second++) {
      for (const host of this.#leaving.get(second) ?? []) host.workers--
      this.#leaving.delete(second)
    }
    for (const { name, draining, workers } of this.hosts.values())
      if (draining && !workers) this.hosts.delete(name)
  }

  /** A Worker that stays for a while. */
  place(ms: number): boolean {
    const host = this.#best()
    if (!host) {
      this.refused++
      this.#refusedOfLate++
      return false
    }
    host.workers++
    const second = Math.floor((this.at + Math.max(ms, 1_000)) / 1_000)
    const leaving = this.#leaving.get(second)
    if (leaving) leaving.push(host)
    else this.#leaving.set(second, [host])
    return true
  }

  #best() {
    const { cores, usage, placement } = this.options
    let best: SimulatedHost | undefined
    for (const host of this.hosts.values()) {
      if (host.draining || host.workers >= cores) continue
      if (placement === 'first' && host.workers * usage < WATERMARK * cores) return host
      if (!best || host.workers < best.workers) best = host
    }
    return best
  }

  /** Sets how many Workers there are, on the hosts in turn, as those that stay for ever. */
  fill(workers: number) {
    for (const host of this.hosts.values()) host.workers = 0
    for (let i = 0; i < workers; i++) {
      const host = this.#best()
      if (host) host.workers++
      else this.#refusedOfLate++
    }
  }

  takeRefused() {
    const refused = this.#refusedOfLate
    this.#refusedOfLate = 0
    return refused
  }

  view(): ScaledHost[] {
    const { cores, usage } = this.options
    return [...this.hosts.values()].map(({ name, workers, draining, silent }) => ({
      name,
      workers,
      draining,
      capacity: cores,
      used: workers * usage,
      shared: false,
      known: !silent,
      givenBack: draining
    }))
  }

  #add() {
    const name = `host-${++this.#names}`
    this.hosts.set(name, { name, workers: 0, draining: false, silent: false })
  }
}

/** Decides in each step, and does to the cloud what was decided. */
export function scaled(cloud: SimulatedCloud, options: ScaleOptions) {
  let state = beginScaling(cloud.at)
  return (): Wanted => {
    const { asked } = state
    const result = scale(
      state,
      { hosts: cloud.view(), unreachable: [], refused: cloud.takeRefused(), at: cloud.at },
      options
    )
    state = result.state
    const { wanted } = result
    cloud.start(wanted.asked - asked)
    for (const name of wanted.keep) cloud.hosts.get(name)!.draining = false
    if (wanted.remove !== undefined) cloud.hosts.get(wanted.remove)!.draining = true
    return wanted
  }
}
