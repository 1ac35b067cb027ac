// What mediasoup logs on this host: to its operator, and to the session whose worker it is about.

import type * as ms from 'mediasoup/types'
import { LOG_LEVELS, type LogLevel } from '../../lib/hello.ts'
import type { Mediasoup } from '../../lib/mediasoup.ts'

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

  #listen() {
    const leaves = leavesOn(this.#mediasoup)
    if (Object.keys(this.#own).length || this.#subscribers.size) leaves.add(this)
    else leaves.delete(this)
    const listeners = LOG_LEVELS.map(level => [
      `on${level}`,
      toAll([...leaves].flatMap(leaf => leaf.#listenersTo(level)))
    ])
    this.#mediasoup.setLogEventListeners(Object.fromEntries(listeners))
  }

  #listenersTo(level: LogLevel): Listener[] {
    const own = this.#own[`on${level}`]
    const subscribers = [...this.#subscribers.values()].filter(({ levels }) => levels.has(level))
    const tell: Listener = (namespace, text) => {
      const pid = Number(/\[pid:(\d+)/.exec(text)?.[1])
      for (const { owns, tell } of subscribers) {
        if (owns(pid)) tell(level, namespace, text)
      }
    }
    return [...(own ? [own] : []), ...(subscribers.length ? [tell] : [])]
  }
}

type Listener = (namespace: string, text: string, error?: Error) => void

// mediasoup has one set of listeners in a process, which all leaves there share, and spends time on
// a level as soon as one listens.
const toAll = (listeners: Listener[]): Listener | undefined =>
  listeners.length
    ? (...log) => {
        for (const listener of listeners) listener(...log)
      }
    : undefined

const leaves = new WeakMap<object, Set<Logs>>()

function leavesOn({ setLogEventListeners: process }: Mediasoup): Set<Logs> {
  if (!leaves.has(process)) leaves.set(process, new Set())
  return leaves.get(process)!
}
