// The sessions of a server that outlive their connections, for a grace period, or, where the tier
// is resumable, its process.

import { timingSafeEqual } from 'node:crypto'
import { ConnectionError, ProtocolError, SessionError, codes } from '../../lib/errors.ts'
import type { Budget } from '../../lib/budget.ts'
import {
  type OpenReply,
  type Opening,
  type SessionKey,
  deriveChildKey,
  isOpening
} from '../../lib/handshake.ts'
import { ResumableLink } from '../../lib/resumable-link.ts'
import type { Whose } from '../../lib/session-info.ts'
import { UNSTATED_MAX_PAYLOAD } from '../../lib/socket-options.ts'
import type { Link, Tier } from '../../lib/tier.ts'
import { encodeNotification } from '../../lib/wire.ts'

/** To the client it is gone, as one that never was. */
export class WrongSecretError extends SessionError {}

interface Identity {
  /** The client's id, with the subject: an id that two subjects have stands for two sessions. */
  id: string
  secret: string
  /** Of the session on the tier. The client does not know it, and another subject has another one. */
  key: SessionKey
  realm: string | undefined
}

interface Session<P> {
  peer: P
  // No Buffer: Node.js makes a small one a part of 64 KiB, which it would keep.
  secret: string
  readonly realm: string | undefined
  link: ResumableLink
  /** Another process had it before. */
  isRevived: boolean
  expiry?: NodeJS.Timeout
}

export interface SessionsOptions<P> {
  tier: Tier
  /** How long a session outlives its connection, in ms. */
  grace: number
  maxBacklog: number
  budget: Budget
  /**
   * Called before a session is begun or revived; answers what to call when it ends. Throws when
   * there may be no more.
   */
  admit(peer: P): () => void
  /** Is given the link of each session that begins, whose it is, and what the tier makes of it. */
  onSession(link: ResumableLink, peer: P, session: Promise<Link>): void
  /** What is known of a peer's session, for who surveys the tier. */
  whose(peer: P): Whose
  /** What to call a session in logs, of a peer that says what it is called above. */
  entryOf(peer: P, entry: string | undefined): string
  /** The realm of a peer's session: of a tier above, the one that its opening says. */
  realmOf(peer: P, realm: string | undefined): string | undefined
  /** The subject that a peer's token or certificate names. Nobody else comes to its sessions, on this tier or below. */
  subjectOf(peer: P): string | undefined
  /**
   * A session goes on with another connection of the same subject, or, unless it is resumed, is
   * begun anew there.
   */
  onResume(before: P, now: P, isResumed: boolean): void
}

export class Sessions<P> {
  readonly #options: SessionsOptions<P>
  readonly #sessions = new Map<string, Session<P>>()
  // By the key of the session on the tier, which two secrets do not have in common.
  readonly #reviving = new Map<string, Promise<void>>()
  #closing = false

  constructor(options: SessionsOptions<P>) {
    this.#options = options
  }

  /**
   * Begins a session, or goes on with one, on a connection whose first frame asked for it.
   *
   * @param answer sends the answer, which comes before all else on the connection.
   * @throws ProtocolError for what is no opening; SessionError when the session is not there, or
   *   somebody else's.
   */
  async open(carrier: Link, opening: unknown, peer: P, answer: (opened: OpenReply) => void) {
    if (!isOpening(opening))
      throw new ProtocolError(
        codes.params,
        'tier.open takes {session, secret, received}: two random strings of 16 to 64 letters, digits, - and _, and a number of frames; and maxPayload, in bytes'
      )
    const { received, resume = false, maxPayload = UNSTATED_MAX_PAYLOAD } = opening
    const { tier, grace, budget, subjectOf, entryOf, realmOf } = this.#options
    const { session, secret } = opening
    const subject = subjectOf(peer) ?? ''
    const id = `${session} ${subject}`
    const key = deriveChildKey({ session, secret }, `subject ${subject}`)
    // Without a turn in which the carrier could close unheard, unless there is something to wait for.
    if (this.#reviving.has(key.session) && (await this.#isLostWhileReviving(key, carrier))) return
    const known = this.#sessions.get(id)
    if (known && !isSame(known.secret, secret)) throw new WrongSecretError(GONE)
    const realm = realmOf(peer, opening.realm)
    if (known && known.realm !== realm) throw new SessionError(GONE)
    if (known) this.#options.onResume(known.peer, peer, resume)
    if (known && resume) return this.#goOn(known, carrier, opening, answer)
    if (!resume && received !== 0) throw new SessionError(GONE)
    known?.link.end(new ConnectionError('the session was begun anew'))
    const identity = { id, secret, key, realm }
    if (resume) {
      const revived = this.#revive(identity, carrier, opening, peer, answer)
      this.#reviving.set(
        key.session,
        revived.catch(() => {})
      )
      return revived.finally(() => this.#reviving.delete(key.session))
    }
    const { link } = this.#begin(identity, peer, this.#options.admit(peer))
    link.maxPayload = maxPayload
    link.attach(carrier, 0, () => answer({ received: 0, grace, returns: tier.resumable }))
    const entry = entryOf(peer, opening.entry)
    const whose = this.#options.whose(peer)
    this.#options.onSession(link, peer, tier.open({ key, budget, entry, realm, whose }))
  }

  /**
   * A client whose connection breaks while its session is revived comes again. Opened twice on the
   * tiers below, the session would be taken from the first, and closed by the second. Answers
   * whether the carrier was lost meanwhile.
   */
  async #isLostWhileReviving({ session }: SessionKey, carrier: Link): Promise<boolean> {
    let isLost = false
    const onClose = () => (isLost = true)
    carrier.once('close', onClose)
    while (this.#reviving.has(session)) await this.#reviving.get(session)
    carrier.off('close', onClose)
    return isLost
  }

  /** Ends those that have no connection; those that have one end with it. */
  close() {
    this.#closing = true
    for (const { link, expiry } of this.#sessions.values()) if (expiry) link.end()
  }

  #goOn(
    { link, isRevived }: Session<P>,
    carrier: Link,
    { received, maxPayload = UNSTATED_MAX_PAYLOAD }: Opening,
    answer: (opened: OpenReply) => void
  ) {
    const { tier, grace } = this.#options
    link.maxPayload = maxPayload
    // That we have forgotten, the client has heard when it says something: the connection may have
    // broken before.
    const isUnheard = isRevived && link.received === 0 && received !== null
    // What is told about objects that the client does not know, it need not be told.
    if (received === null || isUnheard) link.restart()
    link.attach(carrier, isUnheard ? 0 : (received ?? 0), () =>
      answer({ received: isUnheard ? null : link.received, grace, returns: tier.resumable })
    )
    if (isUnheard) link.send(FORGOT)
  }

  /**
   * This process has never had the session; but perhaps the tiers below have what belongs to it.
   */
  async #revive(
    identity: Identity,
    carrier: Link,
    { received, maxPayload = UNSTATED_MAX_PAYLOAD, entry }: Opening,
    peer: P,
    answer: (opened: OpenReply) => void
  ) {
    const { tier, grace, budget } = this.#options
    if (!tier.resumable) throw new SessionError(GONE)
    let lost: ConnectionError | undefined
    carrier.once('close', error => {
      lost = (error as ConnectionError) ?? new ConnectionError('the connection was closed')
    })
    const leave = this.#options.admit(peer)
    const { entryOf, whose } = this.#options
    const options = {
      key: identity.key,
      budget,
      entry: entryOf(peer, entry),
      realm: identity.realm,
      whose: whose(peer)
    }
    const session = await tier.open({ ...options, resume: true }).catch(error => {
      leave()
      throw error
    })
    if (this.#sessions.has(identity.id)) {
      leave()
      session.close()
      throw new ConnectionError('the session was resumed by another connection')
    }
    const { link } = this.#begin(identity, peer, leave, true)
    link.maxPayload = maxPayload
    link.attach(carrier, 0, () => answer({ received: null, grace, returns: true }))
    // Who has forgotten as well asks by itself.
    if (received !== null) link.send(FORGOT)
    this.#options.onSession(link, peer, Promise.resolve(session))
    if (lost) link.lose(lost)
  }

  #begin(
    { id, secret, realm }: Identity,
    peer: P,
    leave: () => void,
    isRevived = false
  ): Session<P> {
    const { grace, maxBacklog, budget } = this.#options
    const session: Session<P> = {
      peer,
      secret,
      realm,
      link: new ResumableLink(maxBacklog, budget),
      isRevived
    }
    session.link.pause() // Until there is a session on the tier that takes its frames.
    this.#sessions.set(id, session)
    session.link.on('lost', error => {
      if (this.#closing) return session.link.end(error)
      session.expiry = setTimeout(
        () =>
          session.link.end(
            new ConnectionError(`${error.message}, and not regained within ${grace} ms`)
          ),
        grace
      )
    })
    session.link.on('regained', () => {
      clearTimeout(session.expiry)
      session.expiry = undefined
    })
    session.link.once('close', () => {
      clearTimeout(session.expiry)
      this.#sessions.delete(id)
      leave()
    })
    return session
  }
}

const FORGOT = encodeNotification('tier.forgot', [])

const GONE = 'the session is gone: it was closed, or its connection was lost for too long'

const isSame = (secret: string, given: string) => {
  const [expected, candidate] = [Buffer.from(secret), Buffer.from(given)]
  return candidate.length === expected.length && timingSafeEqual(candidate, expected)
}
