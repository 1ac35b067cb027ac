// mediasoup's log events, of what happens on this end.

import type * as ms from 'mediasoup/types'

/** The logs of one client, in mediasoup's namespaces. */
export class Logger {
  #listeners: ms.LogEventListeners = {}

  setListeners(listeners: ms.LogEventListeners = {}) {
    this.#listeners = listeners
  }

  debug(prefix: string, log: string) {
    this.#listeners.ondebug?.(`mediasoup:${prefix}`, log)
  }

  warn(prefix: string, log: string) {
    this.#listeners.onwarn?.(`mediasoup:WARN:${prefix}`, log)
  }

  error(prefix: string, log: string, error?: Error) {
    this.#listeners.onerror?.(`mediasoup:ERROR:${prefix}`, log, error)
  }
}
