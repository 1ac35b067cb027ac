// mediasoup's log events: those of this end, and those of the host about our Workers.

import type * as ms from 'mediasoup/types'
import { LOG_LEVELS, type LogLevel } from '../lib/hello.ts'

/** The logs of one client, in mediasoup's namespaces. */
export class Logger {
  #listeners: ms.LogEventListeners = {}

  setListeners(listeners: ms.LogEventListeners = {}) {
    this.#listeners = listeners
  }

  /** The levels that have a listener. */
  get levels(): LogLevel[] {
    return LOG_LEVELS.filter(level => this.#listeners[`on${level}`])
  }

  debug(prefix: string, log: string) {
    this.#listeners.ondebug?.(['mediasoup', prefix].filter(Boolean).join(':'), log)
  }

  warn(prefix: string, log: string) {
    this.#listeners.onwarn?.(`mediasoup:WARN:${prefix}`, log)
  }

  error(prefix: string, log: string, error?: Error) {
    this.#listeners.onerror?.(`mediasoup:ERROR:${prefix}`, log, error)
  }

  /** Passes on a log of the host, whose namespace is complete. */
  hear([level, namespace, log]: [LogLevel, string, string]) {
    this.#listeners[`on${level}`]?.(namespace, log)
  }
}
