// mediasoup's log events: of what happens on this end, and of what the host tells about our Workers.

import type * as ms from 'mediasoup/types'
import { LOG_LEVELS, type LogLevel } from '../lib/hello.ts'

/** The logs of one client, in mediasoup's namespaces. */
export class Logger {
  #listeners: ms.LogEventListeners = {}

  setListeners(listeners: ms.LogEventListeners = {}) {
    this.#listeners = listeners
  }

  /** The levels that somebody listens to. */
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

  /** The host logged something, in a namespace that is complete. */
  hear([level, namespace, log]: [LogLevel, string, string]) {
    this.#listeners[`on${level}`]?.(namespace, log)
  }
}
