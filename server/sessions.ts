// The sessions of a server that outlive their connections, for a grace period.

import { timingSafeEqual } from 'node:crypto'
import { ConnectionError, ProtocolError, SessionError, codes } from '../lib/errors.ts'
import { type Opened, isOpening } from '../lib/opening.ts'
import { ResumableLink } from '../lib/resumable-link.ts'
import type { Link } from '../lib/tier.ts'

interface Session<P> {
  peer: P
  secret: Buffer
  link: ResumableLink
  expiry?: NodeJS.Timeout
}

export interface SessionsOptions<P> {
  /** How long a session outlives its connection, in ms. */
  grace: number
  maxBacklog: number
  /** Is given the link of each session that begins, and whose it is. */
  onSession(link: Link, peer: P): void
  /** Throws when a session may not go on with another peer than before. */
  onResume(before: P, now: P): void
}

export class Sessions<P> {
  readonly #options: SessionsOptions<P>
  readonly #sessions = new Map<string, Session<P>>()
  #closing = false

  constructor(options: SessionsOptions<P>) {
    this.#options = options
  }

  /**
   * Begins a session, or goes on with one, on a connection whose first frame asked for it.
   *
   * @param answer sends the answer, which comes before all else on the connection.
   * @throws ProtocolError for what is no opening; SessionError when the session is not there, or somebody else's.
   */
  open(carrier: Link, opening: unknown, peer: P, answer: (opened: Opened) => void) {
    if (!isOpening(opening)) throw new ProtocolError(codes.params, 'tier.open takes {session, secret, received}: two random strings of 16 to 64 letters, digits, - and _, and a number of frames')
    const known = this.#sessions.get(opening.session)
    if (known ? !isSame(known.secret, opening.secret) : opening.resume || opening.received > 0) throw new SessionError('the session is gone: it was closed, or its connection was lost for too long')
    if (known) this.#options.onResume(known.peer, peer)
    const session = known ?? this.#begin(opening.session, opening.secret, peer)
    const { link } = session
    link.attach(carrier, opening.received, () => answer({ received: link.received, grace: this.#options.grace }))
    clearTimeout(session.expiry)
    session.expiry = undefined
    if (!known) this.#options.onSession(link, peer)
  }

  /** Ends those that have no connection; those that have one end with it. */
  close() {
    this.#closing = true
    for (const { link, expiry } of this.#sessions.values()) if (expiry) link.end()
  }

  #begin(id: string, secret: string, peer: P): Session<P> {
    const { grace, maxBacklog } = this.#options
    const session: Session<P> = { peer, secret: Buffer.from(secret), link: new ResumableLink(maxBacklog) }
    this.#sessions.set(id, session)
    session.link.on('lost', error => {
      if (this.#closing) return session.link.end(error)
      session.expiry = setTimeout(() => session.link.end(new ConnectionError(`${error.message}, and not regained within ${grace} ms`)), grace)
    })
    session.link.once('close', () => {
      clearTimeout(session.expiry)
      this.#sessions.delete(id)
    })
    return session
  }
}

const isSame = (secret: Buffer, given: string) => {
  const candidate = Buffer.from(given)
  return candidate.length === secret.length && timingSafeEqual(candidate, secret)
}
