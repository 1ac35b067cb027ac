// How a connection becomes a session that outlives it: its first frame says which one, and its answer how far that is.
//
//   → {"id": 0, "method": "tier.open", "params": [{"session": "pT3…", "secret": "mX0…", "received": 17}]}
//   ← {"id": 0, "result": {"received": 12, "grace": 30000}}

import { randomBytes } from 'node:crypto'
import type { Frame } from './tier.ts'
import { type Id, decode } from './wire.ts'

/** What tells a session from all others, and proves that it is the same. */
export interface SessionKey {
  session: string
  secret: string
}

export interface Opening extends SessionKey {
  /** How many of the tier's frames the client has: none in a new session. */
  received: number
  /** The session must be there: it is not to be begun. */
  resume?: boolean
}

export interface Opened {
  /** How many of the client's frames the tier has. */
  received: number
  /** How long the session outlives its connection, in ms. */
  grace: number
}

export const newSessionKey = (): SessionKey => ({ session: randomBytes(12).toString('base64url'), secret: randomBytes(24).toString('base64url') })

const METHOD = 'tier.open'
const MAX_BYTES = 1_024

/** The first frame of a connection, if it is an opening. */
export function openingOf(frame: Frame): { id: Id; opening: unknown } | undefined {
  if (typeof frame !== 'string' || frame.length > MAX_BYTES || !frame.includes(`"${METHOD}"`)) return undefined
  const message = decode(frame)
  if (message.method !== METHOD || message.id === undefined) return undefined
  return { id: message.id, opening: message.params[0] }
}

export const isOpening = (value: unknown): value is Opening => {
  const { session, secret, received } = Object(value) as Partial<Opening>
  return isKey(session) && isKey(secret) && Number.isSafeInteger(received) && received! >= 0
}

const isKey = (value: unknown) => typeof value === 'string' && /^[\w-]{16,64}$/.test(value)
