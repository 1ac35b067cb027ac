// The sessions of a server: who they are of, and how the operator ends them.

import { randomBytes } from 'node:crypto'
import type { Holder } from '../../lib/budget.ts'
import { ConnectionError, closeCodes } from '../../lib/errors.ts'
import type { SessionFacts, SessionInfo } from '../../lib/session-info.ts'
import type { Link } from '../../lib/tier.ts'
import type { Identity } from './identity.ts'
import { atTime } from './open-connections.ts'

interface Peer {
  /** Where the session is used from. */
  readonly address: string
  readonly identity: Identity
}

interface OpenSession {
  peer: Peer
  /** Ends with the session, with or without a connection. */
  link: Holder
  counted: { readonly objects: number }
  since: number
  /** It has no connection at the moment. */
  lost: boolean
}

export class OpenSessions {
  readonly #maxAge: number | undefined
  readonly #sessions = new Map<string, OpenSession>()

  /** @param maxAge of each, in ms; default: any */
  constructor(maxAge?: number) {
    this.#maxAge = maxAge
  }

  /** Answers its id, which tells nothing about its key, and what to call when it has ended. */
  add(
    peer: Peer,
    link: Holder & Pick<Link, 'on'>,
    counted: { readonly objects: number }
  ): { id: string; leave: () => void } {
    const id = randomBytes(6).toString('base64url')
    const since = Date.now()
    const session = { peer, link, counted, since, lost: false }
    this.#sessions.set(id, session)
    link.on('lost', () => (session.lost = true))
    link.on('regained', () => (session.lost = false))
    const maxAge = this.#maxAge
    const stop =
      maxAge === undefined
        ? () => {}
        : atTime(since + maxAge, () => end(session, `a session lives for at most ${maxAge} ms`))
    return {
      id,
      leave: () => {
        stop()
        this.#sessions.delete(id)
      }
    }
  }

  /** What is known of the session with an id. */
  factsOf(id: string): SessionFacts | undefined {
    const session = this.#sessions.get(id)
    if (!session) return undefined
    const { peer, counted, since, lost } = session
    const { address, identity } = peer
    return { id, subject: identity.subject, address, since, objects: counted.objects, lost }
  }

  list(): SessionInfo[] {
    return [...this.#sessions.keys()].map(known => {
      const { id, subject, address, since, objects } = this.factsOf(known)!
      return { id, subject, address, age: Date.now() - since, objects }
    })
  }

  /** Ends the session with an id, or those of a subject, but for one. Answers how many these are. */
  kick(which: { id?: string; subject?: string }, spared: string): number {
    const isMeant = (id: string, { subject }: Identity) =>
      (which.id === undefined || which.id === id) &&
      (which.subject === undefined || which.subject === subject)
    const chosen = [...this.#sessions].filter(
      ([id, { peer }]) => id !== spared && isMeant(id, peer.identity)
    )
    for (const [, session] of chosen) end(session, 'the operator has ended the session')
    return chosen.length
  }

  /** Ends each session for which the check throws. */
  check(check: (identity: Identity) => void) {
    for (const session of [...this.#sessions.values()]) {
      try {
        check(session.peer.identity)
      } catch (error) {
        end(session, (error as Error).message)
      }
    }
  }
}

const end = (session: Pick<OpenSession, 'link'>, why: string) =>
  session.link.end(new ConnectionError(why, { closeCode: closeCodes.ended }))
