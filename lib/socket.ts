// A Link over a WebSocket, the same on both ends.

import { EventEmitter } from 'node:events'
import type { Writable } from 'node:stream'
import type { WebSocket } from 'ws'
import { ConnectionError, closeCodes } from './errors.ts'
import { gather } from './gather.ts'
import type { SocketOptions } from './socket-options.ts'
import type { Frame, Link, LinkEvents } from './tier.ts'

/** What `ws` is told on both ends. */
export const webSocketOptions = {
  perMessageDeflate: false,
  closeTimeout: 2_000
} as const

const MAX_REASON_BYTES = 123

export class SocketLink extends EventEmitter<LinkEvents> implements Link {
  readonly #socket: WebSocket
  readonly #stream: Writable
  readonly #maxBacklog: number
  #heard = true
  #corked = false
  #error: Error | undefined

  /** @param stream what the WebSocket writes to */
  constructor(socket: WebSocket, stream: Writable, { silence, maxBacklog }: Required<Omit<SocketOptions, 'maxPayload'>>) {
    super()
    this.#socket = socket
    this.#stream = stream
    this.#maxBacklog = maxBacklog
    gather(stream)
    const heard = () => { this.#heard = true }
    socket.on('message', (data: Buffer, isBinary) => {
      this.#heard = true
      this.emit('frame', isBinary ? data : data.toString())
    })
    socket.on('ping', heard)
    socket.on('pong', heard)
    socket.on('error', error => { this.#error ??= error })
    stream.on('drain', () => this.emit('drain'))
    const watch = this.#watch(silence)
    socket.on('close', (code, reason) => {
      clearInterval(watch)
      const why = this.#error ?? (code === closeCodes.normal ? undefined : new Error(reason.toString() || `code ${code}`))
      // What is no WebSocket, or too large, would come again.
      const closeCode = code === closeCodes.abnormal && isMalformed(why) ? closeCodes.internalError : code
      this.emit('close', why && new ConnectionError(`the connection was lost: ${why.message}`, { cause: why, closeCode }))
    })
  }

  get bufferedAmount() {
    return this.#socket.bufferedAmount
  }

  pause() {
    this.#socket.pause()
  }

  resume() {
    this.#socket.resume()
  }

  send(frame: Frame) {
    if (this.#socket.readyState !== this.#socket.OPEN) return
    if (this.#socket.bufferedAmount > this.#maxBacklog) {
      this.#lose(`the peer reads too slowly: more than ${this.#maxBacklog} bytes wait for it`)
    } else {
      this.#cork()
      this.#socket.send(frame)
    }
  }

  // What is sent in one turn of the event loop leaves with one system call, and as one record of TLS: these cost more than all of our own work.
  #cork() {
    if (this.#corked) return
    this.#corked = true
    this.#stream.cork()
    setImmediate(() => {
      this.#corked = false
      this.#stream.uncork()
    })
  }

  close(error?: Error) {
    this.resume() // The answer to the closing has to be read.
    const reason = Buffer.from(error?.message ?? '').subarray(0, MAX_REASON_BYTES).toString()
    this.#socket.close(error ? sendable((error as ConnectionError).closeCode) : closeCodes.normal, reason.replace(/\uFFFD+$/, ''))
  }

  /**
   * Closes the connection because this process is about to stop.
   *
   * @param comesBack its sessions are resumed where another one takes its place
   */
  leave(comesBack = false) {
    this.#socket.close(comesBack ? closeCodes.restart : closeCodes.gone, comesBack ? 'the server restarts' : 'the server is shutting down')
  }

  // A half-open socket, or a process that is paused, says nothing: also no pong.
  #watch(silence: number) {
    let missed = 0
    return setInterval(() => {
      missed = this.#heard || this.#socket.isPaused ? 0 : missed + 1
      this.#heard = false
      if (missed >= 3) this.#lose(`the peer has been silent for ${silence} ms`)
      else if (this.#socket.readyState === this.#socket.OPEN) this.#socket.ping()
    }, silence / 3).unref()
  }

  #lose(why: string) {
    this.#error ??= new Error(why)
    this.#socket.terminate()
  }
}

const isMalformed = (error: NodeJS.ErrnoException | undefined) => error?.code?.startsWith('WS_ERR_')

// Some codes say what no peer has sent (RFC 6455, 7.4): the connection of a tier below may have ended with one.
const sendable = (code: number = closeCodes.internalError) =>
  (code >= 1000 && code < 1004) || (code > 1006 && code < 1015) || (code >= 3000 && code < 5000) ? code : closeCodes.internalError
