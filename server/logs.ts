// What mediasoup logs on this host: to its operator, and to the session whose worker it is about.

import type * as ms from 'mediasoup/types'
import { LOG_LEVELS, type LogLevel } from '../lib/hello.ts'
import type { Mediasoup } from './leaf.ts'

interface Subscriber {
  levels: ReadonlySet<string>
  /** Whether a Worker is the session's. */
  owns(pid: number): boolean
  tell(level: LogLevel, namespace: string, text: string): void
}

export class Logs {
  readonly #mediasoup: Mediasoup
  readonly #own: ms.LogEventListeners
  readonly #subscribers = new Map<unknown, Subscriber>()

  constructor(mediasoup: Mediasoup, own: ms.LogEventListeners = {}) {
    this.#mediasoup = mediasoup
    this.#own = own
    if (Object.keys(own).length) this.#listen()
  }

  /** One subscription for each session; one without levels ends it. */
  subscribe(session: unknown, subscriber: Subscriber) {
    if (subscriber.levels.size) this.#subscribers.set(session, subscriber)
    else if (!this.#subscribers.delete(session)) return
    this.#listen()
  }

  unsubscribe(session: unknown) {
    if (this.#subscribers.delete(session)) this.#listen()
  }

  // mediasoup has one set of listeners in a process, and spends time on a level as soon as one listens.
  #listen() {
    this.#mediasoup.setLogEventListeners(Object.fromEntries(LOG_LEVELS.map(level => [`on${level}`, this.#listenerFor(level)])))
  }

  #listenerFor(level: LogLevel) {
    const own = this.#own[`on${level}`]
    const subscribers = [...this.#subscribers.values()].filter(({ levels }) => levels.has(level))
    if (!subscribers.length) return own
    return (namespace: string, text: string, error?: Error) => {
      own?.(namespace, text, error)
      const pid = Number(/\[pid:(\d+)/.exec(text)?.[1])
      for (const { owns, tell } of subscribers) {
        if (owns(pid)) tell(level, namespace, text)
      }
    }
  }
}
