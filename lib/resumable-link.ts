// A Link that outlives its sockets. It counts the frames of the session in both directions, keeps
// those that the peer has not acknowledged, and sends them again on the next socket: each arrives
// once, and in order.

import { EventEmitter } from 'node:events'
import type { Budget, Holder } from './budget.ts'
import { ConnectionError, ProtocolError, closeCodes, codes, finalCodes } from './errors.ts'
import type { Frame, Head } from './frame.ts'
import { admit } from './outgoing.ts'
import { UNSTATED_MAX_PAYLOAD } from './socket-options.ts'
import type { Link, LinkEvents } from './tier.ts'
import { decode, encodeNotification } from './wire.ts'

// The peer hears how much has arrived when there is this much to say, and otherwise within a
// second.
const ACKNOWLEDGED_FRAMES = 512
const ACKNOWLEDGED_BYTES = 256 * 1024
const ACKNOWLEDGED_MS = 1_000

export class ResumableLink extends EventEmitter<LinkEvents> implements Link, Holder {
  /** The largest frame that the peer takes, in bytes. */
  maxPayload = UNSTATED_MAX_PAYLOAD
  readonly #maxBacklog: number
  readonly #budget: Budget | undefined
  /** What carries it at the moment. */
  #carrier: Link | undefined
  // The frames that the peer may not have, the first of which has the number #acknowledged; so many
  // were given to a carrier.
  #outbox: Frame[] = []
  #acknowledged = 0
  #sent = 0
  #backlog = 0
  #received = 0
  #unacknowledged = { frames: 0, bytes: 0 }
  #timer: NodeJS.Timeout | undefined
  #paused = false
  #begun = false
  #restarted = false
  #ended = false

  /**
   * @param maxBacklog how many bytes may wait for the peer before the session is given up
   * @param budget counts those of all sessions
   */
  constructor(maxBacklog: number, budget?: Budget) {
    super()
    this.#maxBacklog = maxBacklog
    this.#budget = budget
    if (budget) this.once('close', budget.enter(this))
  }

  get received() {
    return this.#received
  }

  get ended() {
    return this.#ended
  }

  /** Without a carrier, all that is kept. */
  get bufferedAmount() {
    return this.#carrier ? this.#carrier.bufferedAmount : this.#backlog
  }

  get held() {
    return this.#backlog
  }

  /**
   * Goes on with another carrier; the one before, if there still is one, is closed.
   *
   * @param arrived how many frames the peer has
   * @param greet sends what comes before all frames
   * @throws ProtocolError when it cannot have so many, or has had more before.
   */
  attach(carrier: Link, arrived: number, greet: () => void = () => {}) {
    this.#release(arrived)
    const before = this.#carrier
    this.#carrier = carrier
    before?.close(
      new ConnectionError('the session was taken over by another connection', {
        closeCode: closeCodes.takenOver
      })
    )
    greet()
    carrier.on('frame', (frame, head) => {
      if (this.#carrier === carrier) this.#receive(frame, head)
    })
    carrier.on('drain', () => {
      if (this.#carrier === carrier) this.emit('drain')
    })
    carrier.on('close', error => {
      if (this.#carrier === carrier) this.lose(error)
    })
    if (this.#paused) carrier.pause()
    else carrier.resume() // What came right behind the opening is read now.
    for (const frame of this.#outbox) carrier.send(frame)
    this.#sent = this.#outbox.length
    const [isFirst, hasForgotten] = [!this.#begun, this.#restarted]
    this.#begun = true
    this.#restarted = false
    if (isFirst) return
    this.emit('regained', hasForgotten)
    this.emit('drain')
  }

  /**
   * The peer has forgotten the session: both ends count from 0 again. Answers the frames that it
   * was not sent yet.
   */
  restart(): Frame[] {
    const unsent = this.#outbox.slice(this.#sent)
    this.#outbox = []
    this.#acknowledged = this.#sent = this.#backlog = this.#received = 0
    this.#restarted = true
    return unsent
  }

  send(given: Frame, head?: Head) {
    if (this.#ended) return
    const frame = this.#isOrdinary(given) ? given : this.#admit(given, head)
    if (frame === undefined) return
    this.#outbox.push(frame)
    this.#backlog += frame.length
    if (this.#backlog > this.#maxBacklog)
      return this.end(
        new ConnectionError(
          `the connection was lost: more than ${this.#maxBacklog} bytes wait for the peer`
        )
      )
    this.#budget?.add(frame.length)
    if (this.#ended || !this.#carrier) return
    this.#sent++
    this.#carrier.send(frame)
  }

  // Most frames need no closer look.
  #isOrdinary(frame: Frame): boolean {
    return (
      typeof frame === 'string' &&
      frame.length * 3 <= this.maxPayload &&
      (this.#backlog + frame.length) * 2 <= this.#maxBacklog
    )
  }

  /** What is sent of a frame. */
  #admit(given: Frame, head?: Head): Frame | undefined {
    const room = {
      maxPayload: this.maxPayload,
      waiting: this.bufferedAmount,
      backlog: this.#backlog,
      maxBacklog: this.#maxBacklog,
      connected: this.#carrier !== undefined
    }
    const { frame, answer, dropped } = admit(given, head, room)
    // As if the peer had answered, and so not in the middle of the call.
    if (answer !== undefined)
      queueMicrotask(() => {
        if (!this.#ended) this.emit('frame', answer)
      })
    if (dropped) this.emit('dropped', dropped)
    return frame
  }

  pause() {
    this.#paused = true
    this.#carrier?.pause()
  }

  resume() {
    this.#paused = false
    this.#carrier?.resume()
  }

  close(error?: Error) {
    if (this.#ended) return
    if (!this.#carrier) return this.end(error)
    this.#forget()
    this.#carrier.close(error)
  }

  /** Ends the session at once, whatever its carrier does. */
  end(error?: Error) {
    if (this.#ended && !this.#carrier) return
    const carrier = this.#carrier
    this.#carrier = undefined
    this.#forget()
    carrier?.close(error)
    this.emit('close', error)
  }

  #forget() {
    this.#ended = true
    clearTimeout(this.#timer)
    this.#outbox = []
    this.#backlog = 0
  }

  lose(error: Error | undefined) {
    if (this.#ended || !error || isFinal(error as ConnectionError)) return this.end(error)
    this.#carrier = undefined
    this.emit('lost', error)
  }

  #receive(frame: Frame, head?: Head) {
    const arrived = acknowledgedBy(frame)
    if (arrived !== undefined) {
      try {
        this.#release(arrived)
      } catch (error) {
        this.end(error as Error)
      }
      return
    }
    this.#received++
    this.#unacknowledged.frames++
    this.#unacknowledged.bytes += frame.length
    if (
      this.#unacknowledged.frames >= ACKNOWLEDGED_FRAMES ||
      this.#unacknowledged.bytes >= ACKNOWLEDGED_BYTES
    )
      this.#acknowledge()
    else this.#timer ??= setTimeout(() => this.#acknowledge(), ACKNOWLEDGED_MS).unref()
    this.emit('frame', frame, head)
  }

  // ⇄ {"method": "tier.ack", "params": [4711]}
  #acknowledge() {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#unacknowledged = { frames: 0, bytes: 0 }
    this.#carrier?.send(encodeNotification('tier.ack', [this.#received]))
  }

  #release(arrived: number) {
    const sent = this.#acknowledged + this.#outbox.length
    if (!Number.isInteger(arrived) || arrived < this.#acknowledged || arrived > sent) {
      throw new ProtocolError(
        codes.params,
        `the peer must have ${this.#acknowledged} to ${sent} frames (it says ${arrived})`
      )
    }
    const released = this.#outbox.splice(0, arrived - this.#acknowledged)
    for (const { length } of released) this.#backlog -= length
    this.#acknowledged = arrived
    this.#sent = Math.max(0, this.#sent - released.length)
  }
}

const ACKNOWLEDGEMENT = '{"jsonrpc":"2.0","method":"tier.ack","params":['
// However much space its JSON has.
const MAX_ACKNOWLEDGEMENT = 256

/**
 * How many frames the peer has, if that is what a frame says: written as we write it, or in another
 * way.
 */
function acknowledgedBy(frame: Frame): number | undefined {
  if (typeof frame !== 'string') return undefined
  if (frame.startsWith(ACKNOWLEDGEMENT)) return Number(frame.slice(ACKNOWLEDGEMENT.length, -2))
  if (frame.length > MAX_ACKNOWLEDGEMENT || !frame.includes('tier.ack')) return undefined
  try {
    const message = decode(frame)
    return message.method === 'tier.ack' && message.id === undefined
      ? Number(message.params[0])
      : undefined
  } catch {
    return undefined // Whoever is to read it says what is wrong with it.
  }
}

/** Whether the peer ended the connection so that it may not come back. */
const isFinal = ({ closeCode }: ConnectionError) =>
  closeCode !== undefined && finalCodes.has(closeCode)
