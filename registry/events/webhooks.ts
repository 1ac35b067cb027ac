// Tells applications what has happened: each event at least once, in the order of its subject, until
// it is taken or too old. While one subject waits, others go on.

import { setTimeout as sleep } from 'node:timers/promises'
import pLimit from 'p-limit'
import pRetry from 'p-retry'
import type { WebhookFigures } from '../../lib/figures.ts'
import type { Log } from '../log.ts'
import type { Store, StoredEvent } from '../store/store.ts'
import { deliver } from './delivery.ts'
import { checkReceiver } from './receiver.ts'

export interface WebhookSettings {
  /** Where events are told: `http://` or `https://`. */
  url: string
  /** What they are signed with: one secret, or two while the receiver changes from one to the other. */
  secrets(): readonly Buffer[]
  /** For an answer, in ms. Default: 10 s. */
  timeout?: number | undefined
  /**
   * The age at which an event is given up, in ms. Default: a day, so that a receiver that was away
   * for a night, or for a bad release, gets all.
   */
  giveUp?: number | undefined
  /** After how long others tell what a registry had that is dead, in ms. Default: 10 s. */
  patience?: number | undefined
  /** The first wait before another attempt, and the longest, in ms. Default: 1 s and 5 min. */
  backoff?: readonly [first: number, longest: number] | undefined
}

export interface WebhooksOptions extends WebhookSettings {
  store: Pick<Store, 'events' | 'keep' | 'settle'>
  /** The name of this registry in the store. */
  registry: string
  log: Log
}

export interface Webhooks {
  readonly counts: WebhookFigures
  /** Ends the attempts that are under way. What was not taken stays in the store. */
  close(): Promise<void>
}

const TIMEOUT_MS = 10_000
const GIVE_UP_MS = 86_400_000
const PATIENCE_MS = 10_000
const BACKOFF_MS = [1_000, 300_000] as const
const MAX_ATTEMPTS = 16
// With those that wait for another attempt. Others stay in the store.
const MAX_EVENTS = 1_000
const STORE_RETRY_MS = 1_000
// A receiver that is away fails often.
const WARN_EVERY_MS = 60_000

/** @throws TypeError */
export function openWebhooks(options: WebhooksOptions): Webhooks {
  const { store, registry, url, secrets, log } = options
  const { timeout = TIMEOUT_MS, giveUp = GIVE_UP_MS, patience = PATIENCE_MS } = options
  const { backoff = BACKOFF_MS } = options
  const { host: receiverHost } = checkReceiver(url)
  const ended = new AbortController()
  const { signal } = ended
  const limit = pLimit(MAX_ATTEMPTS)
  const receiver = { url, secrets, timeout }
  const delivery = { receiver, giveUp, backoff, limit, signal, onFailure }
  const counts = { told: 0, dead: 0, failures: 0 }
  const held = new Set<Promise<void>>()
  let warned = -Infinity
  const reading = read()
  return {
    get counts() {
      return { ...counts, waiting: held.size }
    },
    async close() {
      ended.abort()
      await Promise.all([reading, ...held])
    }
  }

  async function read() {
    while (!signal.aborted) {
      try {
        for await (const event of store.events(registry, patience, signal)) {
          hold(event)
          if (held.size >= MAX_EVENTS) await Promise.race(held)
        }
      } catch (error) {
        warn('events cannot be read from the store', error as Error)
      }
      // It ends early only by the signal.
      await sleep(STORE_RETRY_MS, undefined, { signal }).catch(() => {})
    }
  }

  function hold(event: StoredEvent) {
    // If it cannot be kept, another registry tells it, too.
    const keep = () => void store.keep(registry, event).catch(() => {})
    const timer = setInterval(keep, patience / 3)
    const holding = tell(event).finally(() => {
      clearInterval(timer)
      held.delete(holding)
    })
    held.add(holding)
  }

  async function tell(event: StoredEvent) {
    try {
      if (!(await deliver(event.body, delivery))) return
      counts.told++
    } catch (error) {
      counts.dead++
      const { message: reason } = error as Error
      log.warn({ event: event.body, reason }, 'an event was given up')
    }
    await settle(event)
  }

  /** What cannot be settled is told again, by another registry. */
  async function settle(event: StoredEvent) {
    await pRetry(() => store.settle(event), {
      retries: Infinity,
      minTimeout: STORE_RETRY_MS,
      maxTimeout: STORE_RETRY_MS,
      onFailedAttempt: ({ error }) => warn('an event cannot be settled in the store', error),
      shouldRetry: () => !signal.aborted
    }).catch(() => {})
  }

  function onFailure(error: Error) {
    counts.failures++
    warn('events were not taken by the receiver, and are told again', error)
  }

  function warn(text: string, { message: reason }: Error) {
    if (signal.aborted || performance.now() - warned < WARN_EVERY_MS) return
    warned = performance.now()
    // Its path may be a secret.
    log.warn({ receiver: receiverHost, reason, ...counts }, text)
  }
}
