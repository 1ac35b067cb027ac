// Starts and ends hosts with a command, as a cluster wants them. Of several registries, the one that
// leads does it.

import pRetry from 'p-retry'
import type { Log } from '../log.ts'
import type { Command } from './command.ts'
import { Leader, type LeaderOptions } from './leader.ts'
import { Leaving, type ScaledCluster } from './leaving.ts'

export interface ScalerOptions extends LeaderOptions {
  cluster: ScaledCluster
  command: Command
  /** How long a host that is given back may take to be empty, in ms. */
  drainDeadline: number
  log: Log
}

const INTERVAL_MS = 500
const RETRY = { retries: Infinity, minTimeout: 1_000, maxTimeout: 60_000, unref: true }

export class Scaler {
  readonly #options: ScalerOptions
  readonly #leader: Leader
  readonly #leaving: Leaving
  readonly #ended = new AbortController()
  readonly #timer: NodeJS.Timeout
  /** Hosts that were asked for, up to this number, the command has started. */
  #started = 0
  #isStarting = false

  constructor(options: ScalerOptions) {
    const { log } = options
    this.#options = options
    this.#leaving = new Leaving({ ...options, onGone: name => void this.#end(name) })
    this.#leader = new Leader(options)
    this.#leader.on('change', leads => {
      log.info({ leads }, leads ? 'starts and ends hosts' : 'starts and ends hosts no more')
      if (leads) this.#leaving.takeOver()
      else this.#leaving.leave()
    })
    this.#timer = setInterval(() => this.#act(), INTERVAL_MS).unref()
  }

  close() {
    clearInterval(this.#timer)
    this.#leader.close()
    this.#leaving.close()
    this.#ended.abort()
  }

  #act() {
    const { wanted } = this.#options.cluster
    if (!wanted) return
    if (!this.#leader.leads) {
      this.#started = wanted.asked // By the one that leads.
      return
    }
    void this.#start()
    for (const name of wanted.keep) void this.#leaving.keep(name)
    if (wanted.remove !== undefined) void this.#leaving.giveBack(wanted.remove)
    this.#leaving.checkLate()
  }

  async #start() {
    if (this.#isStarting || this.#toStart.count <= 0) return
    this.#isStarting = true
    await this.#retry('up', async command => {
      const { asked, count } = this.#toStart
      if (count > 0) await command('up', String(count))
      this.#started = asked
    })
    this.#isStarting = false
  }

  /** Of those that were asked for, and have neither come nor timed out, those that are not started. */
  get #toStart() {
    const { asked = 0, starting = 0 } = this.#options.cluster.wanted ?? {}
    return { asked, count: asked - Math.max(this.#started, asked - starting) }
  }

  #end(name: string) {
    return this.#retry('down', command => command('down', name))
  }

  async #retry(what: string, run: (command: Command) => Promise<void>) {
    const { command, log } = this.#options
    const { signal } = this.#ended
    const attempt = async () => {
      // What it has begun goes to another registry with its hosts.
      if (this.#leader.leads) await run(command).catch(retriable)
    }
    await pRetry(attempt, {
      ...RETRY,
      signal,
      onFailedAttempt: ({ error, attemptNumber }) =>
        log.warn({ what, attempt: attemptNumber, reason: error.message }, 'scale command failed')
    }).catch(error => {
      if (!signal.aborted) throw error
    })
  }
}

// p-retry gives up at a TypeError.
function retriable(cause: Error): never {
  throw cause instanceof TypeError ? new Error(cause.message, { cause }) : cause
}
