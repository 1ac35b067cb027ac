// The algebra: whatever speaks the protocol is a Tier, and a session on it is a Link of frames.

import { EventEmitter } from 'node:events'
import type { Budget } from './budget.ts'
import type { Figures } from './figures.ts'
import type { Frame, Head, SessionKey } from './frame.ts'
import type { Whose } from './session-info.ts'

export type { Frame } from './frame.ts'

export interface OpenOptions {
  /**
   * What tells the session from all others, and proves that it is the same. Default: made up, where
   * the tier needs one.
   */
  key?: SessionKey
  /**
   * The session is there, but whoever opens it has no memory of it: a process took the place of
   * another.
   */
  resume?: boolean
  /** Whose session it is, for who surveys the tier. */
  whose?: Whose
  /** What the session is called in the logs of the tier where its client came in. */
  entry?: string
  /** Whose Producers it may borrow: those of sessions of the same realm. */
  realm?: string | undefined
  /** Counts what waits to be sent, with that of all other sessions in the process. */
  budget?: Budget
}

/**
 * Anything that speaks the protocol: a local mediasoup, a remote URL, or a combination of tiers.
 */
export interface Tier {
  /** Its name in handles, where it is known without asking. */
  readonly node?: string
  /** How to call it in logs and errors: its URL. */
  readonly name?: string
  /** Whether its host is to end, and takes no new Workers and Routers. */
  readonly draining?: boolean
  /** Whether its sessions outlive its process: what they have is on other hosts. */
  readonly resumable?: boolean
  /** Whether this process keeps what its clients send with objects, such as appData. */
  readonly retains?: boolean
  /** What it says of itself, when its metrics are read. */
  figures?(): Promise<Figures>
  /**
   * Opens a session. Rejects with a ConnectionError when the tier cannot be reached, with a
   * SessionError when the session that is to be resumed is not there.
   */
  open(options?: OpenOptions): Promise<Link>
  /** Ends the tier: its sessions, and the tiers that it is made of. From then on open() rejects. */
  close(): void
}

export type LinkEvents = {
  /** With its head, where somebody in this process has read or written it already. */
  frame: [frame: Frame, head?: Head]
  /** What waited to leave has left. */
  drain: []
  /** What carried it broke, and is being replaced; only of a link that outlives its sockets. */
  lost: [error: Error]
  /** It is carried again: nothing was lost, unless the peer has forgotten what it was sent. */
  regained: [hasForgotten: boolean]
  /** A message that nobody answers was not sent: the peer does not take one so large. */
  dropped: [error: Error]
  close: [error?: Error]
}

/**
 * One session on a tier: what is created through it belongs to it and is closed with it.
 *
 * Frames arrive in the order in which they were sent, in both directions, and `close` after the
 * last of them. A Link carries frames and not calls, because that keeps one order for answers and
 * events, and lets a proxy pass on what it does not treat itself without taking it apart.
 */
export interface Link extends EventEmitter<LinkEvents> {
  /**
   * Frames sent after the link has closed are dropped: `close` tells. A request that is too large,
   * or for which there is no room, is not sent, and answered with an error.
   *
   * @throws LimitError when there is no room for a message that nobody answers, such as that of a
   *   DataProducer
   * @param head that of the frame, if it is known: so that whoever is next in this process need not
   *   read it
   */
  send(frame: Frame, head?: Head): void
  /** Bytes that wait to leave this process on the way to the peer. */
  readonly bufferedAmount: number
  /**
   * Asks the peer to hold back: what it sends waits on its side, and is in its `bufferedAmount`.
   */
  pause(): void
  resume(): void
  /** Ends the session; both ends emit `close`, the other one with the error if there is one. */
  close(error?: Error): void
}

type Sent =
  | { frame: Frame; head: Head | undefined }
  | { frame?: undefined; error: Error | undefined }

class PairedLink extends EventEmitter<LinkEvents> implements Link {
  /** Where what arrives here goes on to. */
  onward: Link | undefined
  #peer!: PairedLink
  #inbox: Sent[] = []
  #paused = false
  #closed = false

  static pair(): [PairedLink, PairedLink] {
    const [one, other] = [new PairedLink(), new PairedLink()]
    one.#peer = other
    other.#peer = one
    return [one, other]
  }

  // Nothing waits in between: who sends is asked to stop, and what is sent nevertheless arrives.
  get bufferedAmount() {
    return this.#peer.#paused ? Infinity : (this.#peer.onward?.bufferedAmount ?? 0)
  }

  pause() {
    this.#paused = true
  }

  resume() {
    this.#paused = false
    this.drained()
  }

  /** What the peer sent has gone on. */
  drained() {
    this.#peer.emit('drain')
  }

  send(frame: Frame, head?: Head) {
    if (!this.#closed) this.#peer.#deliver({ frame, head })
  }

  close(error?: Error) {
    if (this.#closed) return
    this.#closed = true
    this.#peer.#deliver({ error })
    this.emit('close')
  }

  // In a microtask, so that no call ends up inside the handler of its own answer.
  #deliver(item: Sent) {
    if (this.#inbox.push(item) === 1) queueMicrotask(() => this.#drain())
  }

  #drain() {
    let taken = 0
    try {
      while (taken < this.#inbox.length && !this.#closed) {
        const item = this.#inbox[taken++]!
        if (item.frame !== undefined) {
          this.emit('frame', item.frame, item.head)
          continue
        }
        this.#closed = true
        this.emit('close', item.error)
      }
    } finally {
      // A listener that throws loses one item, and not those behind it.
      this.#inbox = this.#closed ? [] : this.#inbox.slice(taken)
      if (this.#inbox.length) queueMicrotask(() => this.#drain())
    }
  }
}

/** Two ends of a session inside this process. */
export const channel = (): [Link, Link] => PairedLink.pair()

/**
 * Makes one session of two: what arrives on either goes on to the other, and they close together.
 */
export function join(one: Link, other: Link) {
  for (const [from, to] of [
    [one, other],
    [other, one]
  ] as const) {
    if (from instanceof PairedLink) {
      from.onward = to
      to.on('drain', () => from.drained())
    }
    from.on('frame', (frame, head) => to.send(frame, head))
    from.on('close', error => to.close(error))
  }
}
