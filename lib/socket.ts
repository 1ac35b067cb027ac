// A Link over a WebSocket, the same on both ends.

import { EventEmitter } from 'node:events'
import type { Writable } from 'node:stream'
import type { WebSocket } from 'ws'
import { ConnectionError, closeCodes } from './errors.ts'
import { coalesceWrites } from './coalesce-writes.ts'
import { FrameQueue } from './queue.ts'
import type { SocketOptions } from './socket-options.ts'
import type { Frame, Link, LinkEvents } from './tier.ts'

/** What `ws` is told on both ends. */
export const webSocketOptions = {
  perMessageDeflate: false,
  closeTimeout: 2_000,
  // Each costs some hundred bytes of memory, and may be empty. A browser makes 64 of 8 MiB.
  maxFragments: 1_024
} as const

const MAX_REASON_BYTES = 123

// The socket is handed no more than this at once; the rest waits here, where a text is not copied
// yet.
const MAX_HANDED_BYTES = 1024 * 1024

// While the link is paused, this much is read all the same: so that pings and the end are.
const MAX_HELD_BYTES = 256 * 1024

// The intervals of the watch without a word of the peer, or, while it is not read, in which it
// takes nothing.
const [MAX_SILENT, MAX_STUCK] = [3, 9]

export class SocketLink extends EventEmitter<LinkEvents> implements Link {
  readonly #socket: WebSocket
  readonly #stream: Writable
  readonly #maxBacklog: number
  readonly #outbox = new FrameQueue()
  readonly #inbox = new FrameQueue()
  #heard = true
  #corked = false
  #paused = false
  #delivering = false
  #error: Error | undefined

  /** @param stream what the WebSocket writes to */
  constructor(
    socket: WebSocket,
    stream: Writable,
    { silence, maxBacklog }: Required<Omit<SocketOptions, 'maxPayload'>>
  ) {
    super()
    this.#socket = socket
    this.#stream = stream
    this.#maxBacklog = maxBacklog
    coalesceWrites(stream)
    const heard = () => {
      this.#heard = true
    }
    socket.on('message', (data: Buffer, isBinary) => {
      this.#heard = true
      this.#receive(isBinary ? data : data.toString())
    })
    socket.on('ping', heard)
    socket.on('pong', heard)
    socket.on('error', error => {
      this.#error ??= error
    })
    stream.on('drain', () => this.#onDrain())
    const watch = this.#watch(silence)
    socket.on('close', (code, reason) => {
      clearInterval(watch)
      this.#outbox.clear()
      this.#paused = false
      this.#deliver()
      const why =
        this.#error ??
        (code === closeCodes.normal ? undefined : new Error(reason.toString() || `code ${code}`))
      // What is no WebSocket, or too large, would come again.
      const closeCode =
        code === closeCodes.abnormal && isMalformed(why) ? closeCodes.internalError : code
      this.emit(
        'close',
        why &&
          new ConnectionError(`the connection was lost: ${why.message}`, { cause: why, closeCode })
      )
    })
  }

  get bufferedAmount() {
    return this.#socket.bufferedAmount + this.#outbox.size
  }

  /** What arrives is held from now on, and, above a bound, not read. */
  pause() {
    this.#paused = true
  }

  resume() {
    this.#paused = false
    this.#deliver()
    if (!this.#paused) this.#socket.resume()
  }

  #receive(frame: Frame) {
    if (!this.#paused && !this.#delivering && !this.#inbox.length)
      return void this.emit('frame', frame)
    this.#inbox.push(frame)
    if (this.#inbox.size > MAX_HELD_BYTES) this.#socket.pause()
  }

  // Whoever hears a frame may pause the link, or resume it.
  #deliver() {
    if (this.#delivering) return
    this.#delivering = true
    try {
      while (this.#inbox.length && !this.#paused) this.emit('frame', this.#inbox.shift())
    } finally {
      this.#delivering = false
    }
  }

  send(frame: Frame) {
    if (this.#socket.readyState !== this.#socket.OPEN) return
    if (!this.#outbox.length && this.#socket.bufferedAmount <= MAX_HANDED_BYTES)
      return this.#hand(frame)
    if (this.bufferedAmount > this.#maxBacklog)
      return this.#lose(`more than ${this.#maxBacklog} bytes wait for the peer`)
    this.#outbox.push(frame)
  }

  #hand(frame: Frame) {
    this.#cork()
    this.#socket.send(frame)
  }

  #onDrain() {
    if (this.#socket.isPaused) this.#heard = true // Whoever takes what it is sent is there.
    while (this.#outbox.length && this.#socket.bufferedAmount <= MAX_HANDED_BYTES)
      this.#hand(this.#outbox.shift())
    if (!this.#outbox.length) this.emit('drain')
  }

  // What is sent in one turn of the event loop leaves with one system call, and as one record of
  // TLS: these cost more than all of our own work.
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
    this.#error ??= error
    this.#inbox.clear()
    this.#paused = false
    this.#socket.resume() // The answer to the closing has to be read.
    while (!error && this.#outbox.length) this.#hand(this.#outbox.shift())
    this.#outbox.clear()
    const reason = Buffer.from(error?.message ?? '')
      .subarray(0, MAX_REASON_BYTES)
      .toString()
    this.#socket.close(
      error ? sendable((error as ConnectionError).closeCode) : closeCodes.normal,
      reason.replace(/\uFFFD+$/, '')
    )
    // Now and not in the next turn, which does not come when the process exits.
    if (this.#corked) this.#stream.uncork()
  }

  /**
   * Closes the connection because this process is about to stop.
   *
   * @param comesBack its sessions are resumed where another one takes its place
   */
  leave(comesBack = false) {
    this.#socket.resume() // As in close().
    this.#socket.close(
      comesBack ? closeCodes.restart : closeCodes.gone,
      comesBack ? 'the server restarts' : 'the server is shutting down'
    )
  }

  // A half-open socket, or a process that is paused, says nothing: also no pong.
  #watch(silence: number) {
    let missed = 0
    return setInterval(() => {
      const isUnread = this.#socket.isPaused
      const isMissing = !this.#heard && (!isUnread || this.#socket.bufferedAmount > 0)
      missed = isMissing ? missed + 1 : 0
      this.#heard = false
      if (missed >= (isUnread ? MAX_STUCK : MAX_SILENT))
        this.#lose(`the peer has been silent for ${(silence * missed) / MAX_SILENT} ms`)
      else if (this.#socket.readyState === this.#socket.OPEN) this.#socket.ping()
    }, silence / MAX_SILENT).unref()
  }

  #lose(why: string) {
    this.#error ??= new Error(why)
    this.#socket.terminate()
  }
}

const isMalformed = (error: Error | undefined) =>
  String((error as NodeJS.ErrnoException | undefined)?.code).startsWith('WS_ERR_')

// Some codes say what no peer has sent (RFC 6455, 7.4): the connection of a tier below may have
// ended with one.
const sendable = (code: number = closeCodes.internalError) =>
  (code >= 1000 && code < 1004) || (code > 1006 && code < 1015) || (code >= 3000 && code < 5000)
    ? code
    : closeCodes.internalError
