// The TURN server beside this host, and the credentials with which participants use it for a time
// (draft-uberti-behave-turn-rest: the username says until when, the password proves it).

import { createHmac, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { IceServer } from '../../lib/ice-server.ts'

export interface TurnOptions {
  /** Where participants reach it: `turn:203.0.113.7:3478`, `turns:media-1.example:5349?transport=tcp`. */
  urls: readonly string[]
  /**
   * The secret that it shares with this tier, `static-auth-secret` of coturn: the path of a file,
   * which is read each time, or its contents.
   */
  secret: string | Buffer
  /** How long credentials let in, in seconds. Who is in stays. Default 1 hour. */
  ttl?: number
}

const TTL_SECONDS = 3_600
const URL = /^turns?:(\[[\da-f:.]+\]|[^\s:?[\]@/]+)(:\d{1,5})?(\?transport=(udp|tcp))?$/i

/**
 * Answers what mints credentials; without a TURN server, there are none.
 *
 * @throws TypeError for a URL of something else, and for no secret; RangeError for another ttl
 */
export function iceServers(turn: TurnOptions | undefined): () => IceServer[] {
  if (!turn) return () => []
  const { urls, ttl = TTL_SECONDS } = turn
  const wrong = urls.find(url => !URL.test(url))
  if (wrong !== undefined || !urls.length)
    throw new TypeError(
      `URLs of a TURN server are like turn:203.0.113.7:3478 or turns:host:5349?transport=tcp (got "${wrong ?? ''}")`
    )
  if (!(Number.isSafeInteger(ttl) && ttl > 0))
    throw new RangeError(`turn.ttl is a whole number of seconds above 0 (got ${ttl})`)
  secretOf(turn)
  return () => {
    const until = Math.floor(Date.now() / 1_000) + ttl
    // Quotas of a TURN server are for each username.
    const username = `${until}:${randomBytes(6).toString('base64url')}`
    const credential = createHmac('sha1', secretOf(turn)).update(username).digest('base64')
    return [{ urls: [...urls], username, credential }]
  }
}

function secretOf({ secret }: TurnOptions): string {
  const text = String(typeof secret === 'string' ? readFileSync(secret) : secret).trim()
  if (text) return text
  throw new TypeError(`the secret of a TURN server must not be empty`)
}
