// How a connection becomes a session that outlives it: its first frame says which one, and its
// answer how far that is.
//
//   → {"id": 0, "method": "tier.open", "params": [{"session": "pT3…", "secret": "mX0…", "received": 17}]}
//   ← {"id": 0, "result": {"received": 12, "grace": 30000}}

import { hkdfSync, randomBytes } from 'node:crypto'
import type { Frame, Id, SessionKey } from './frame.ts'
import { decode, headerOf } from './wire.ts'

export type { SessionKey } from './frame.ts'

export interface Opening extends SessionKey {
  /**
   * How many of the tier's frames the client has: none in a new session, null when it has
   * forgotten.
   */
  received: number | null
  /** The session must be there: it is not to be begun. */
  resume?: boolean
  /** The largest frame that the client takes, in bytes. */
  maxPayload?: number
  /** What a tier above calls the session in its log. */
  entry?: string
  /** The realm that a tier above knows the session to be of. */
  realm?: string
}

export interface OpenReply {
  /** How many of the client's frames the tier has; null when it has forgotten. */
  received: number | null
  /** How long the session outlives its connection, in ms. */
  grace: number
  /** A tier that cannot be reached comes back, and its sessions with it. */
  returns?: boolean
  /** The largest frame that the tier takes, in bytes. */
  maxPayload?: number
}

const SESSION_BYTES = 12
const SECRET_BYTES = 24

const keyOf = (bytes: Buffer): SessionKey => ({
  session: bytes.toString('base64url', 0, SESSION_BYTES),
  secret: bytes.toString('base64url', SESSION_BYTES)
})

export const newSessionKey = (): SessionKey => keyOf(randomBytes(SESSION_BYTES + SECRET_BYTES))

/**
 * The key of a session's own session on a tier below. A tier that has forgotten all, or another one
 * in its place, comes to the same key from that of its client.
 *
 * @param child the tier below, by the name that every such tier calls it
 */
export const deriveChildKey = ({ session, secret }: SessionKey, child: string): SessionKey =>
  keyOf(
    Buffer.from(
      hkdfSync('sha256', secret, session, `mafalda ${child}`, SESSION_BYTES + SECRET_BYTES)
    )
  )

const METHOD = 'tier.open'
const MAX_BYTES = 1_024

/** The first frame of a connection, if it is an opening. Throws a ProtocolError for a broken one. */
export function openingOf(frame: Frame): { id: Id; opening: unknown } | undefined {
  if (typeof frame !== 'string' || frame.length > MAX_BYTES) return undefined
  const head = headerOf(frame)
  if (head ? head.method !== METHOD : !frame.includes(`"${METHOD}"`)) return undefined
  const message = decode(frame)
  if (message.method === undefined || message.id === undefined) return undefined
  return { id: message.id, opening: message.params[0] }
}

export const isOpening = (value: unknown): value is Opening => {
  const { session, secret, received, maxPayload, entry, realm } = Object(value) as Partial<Opening>
  return (
    isKey(session) &&
    isKey(secret) &&
    (received === null || isCount(received)) &&
    (maxPayload === undefined || isCount(maxPayload)) &&
    (entry === undefined || isName(entry)) &&
    (realm === undefined || isRealm(realm))
  )
}

const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0

const isName = (value: unknown) => typeof value === 'string' && /^[\w-]{1,32}$/.test(value)

const isRealm = (value: unknown) => typeof value === 'string' && /^[\w-]{1,64}$/.test(value)

const isKey = (value: unknown) => typeof value === 'string' && /^[\w-]{16,64}$/.test(value)
