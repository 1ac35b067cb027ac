// A WebSocket to a tier, opened again whenever it breaks: also when it is silent, which a browser
// does not notice by itself.

/// <reference lib="dom" />
import ReconnectingWebSocketModule from 'reconnecting-websocket'
import { PROTOCOL } from '../lib/hello.ts'

// Its module is CommonJS, and its declarations are of an ES module.
const ReconnectingWebSocket =
  (
    ReconnectingWebSocketModule as unknown as {
      default?: typeof ReconnectingWebSocketModule.default
    }
  ).default ??
  (ReconnectingWebSocketModule as unknown as typeof ReconnectingWebSocketModule.default)

export interface SocketEvents {
  onOpen(): void
  onMessage(text: string): void
  /** It is open no longer. Answers whether it is to be opened again. */
  onClose(code: number, reason: string): boolean
  /** Nothing came for a while: something is to be asked. */
  onSilence(): void
}

export interface Socket {
  send(text: string): void
  /** Closes it, and opens another one in a while. */
  reopen(): void
  close(): void
}

const QUIET_MS = 1_500
const settings = {
  connectionTimeout: 4_000,
  minReconnectionDelay: 300,
  maxReconnectionDelay: 3_000,
  reconnectionDelayGrowFactor: 1.5,
  minUptime: 2_000,
  // What was sent to a session that is over must not go to the next one.
  maxEnqueuedMessages: 0
}

/** @param silence how long nothing may come before it is opened anew, in ms */
export function openSocket(url: string, silence: number, events: SocketEvents): Socket {
  const socket = new ReconnectingWebSocket(url, PROTOCOL, settings)
  let heard = Date.now()
  let isOpen = false
  let later: ReturnType<typeof setTimeout> | undefined
  const watch = setInterval(() => {
    if (!isOpen) return
    const silent = Date.now() - heard
    if (silent > silence) socket.reconnect()
    else if (silent > QUIET_MS) events.onSilence()
  }, QUIET_MS / 3)

  socket.addEventListener('open', () => {
    heard = Date.now()
    isOpen = true
    events.onOpen()
  })
  socket.addEventListener('message', ({ data }) => {
    heard = Date.now()
    events.onMessage(String(data))
  })
  socket.addEventListener('close', ({ code, reason }) => {
    isOpen = false
    if (!events.onClose(code, reason)) close()
  })
  return { send: text => socket.send(text), reopen, close }

  function reopen() {
    clearTimeout(later)
    later = setTimeout(() => socket.reconnect(), settings.maxReconnectionDelay)
  }

  function close() {
    clearTimeout(later)
    clearInterval(watch)
    socket.close()
  }
}
