// The token that a connection shows: at its start, and again before it expires.

import { randomBytes } from 'node:crypto'
import { LinkFilter } from '../lib/link-filter.ts'
import type { Frame, Link } from '../lib/tier.ts'
import { encodeRequest, headerOf } from '../lib/wire.ts'

/**
 * A token, or what gives a fresh one: it is asked at each connect, and before the last one expires.
 */
export type Token = string | (() => string | Promise<string>)

/** Without the line end of the file that it may come from. */
export async function freshToken(token: Token): Promise<string> {
  const fresh: unknown = typeof token === 'function' ? await token() : token
  const text = typeof fresh === 'string' ? fresh.trim() : ''
  // Not what it is: that ends up in logs.
  if (!/^[!-~]+$/.test(text))
    throw new TypeError(
      'a token is a string of visible ASCII characters, or a function that gives one'
    )
  return text
}

// Of its remaining life: so there is time to try again, and to reach the tier.
const RENEW_AFTER = 0.8
const MIN_DELAY_MS = 1_000
const MAX_DELAY_MS = 24 * 60 * 60 * 1000

/** Renews the token of a link, with requests of its own that nobody else sees. */
export class Renewal extends LinkFilter {
  readonly #fresh: () => Promise<string>
  readonly #prefix = `${randomBytes(6).toString('base64url')}~`
  #serial = 0
  #timer: NodeJS.Timeout | undefined
  #closed = false

  constructor(below: Link, fresh: () => Promise<string>, token: string) {
    super(below)
    this.#fresh = fresh
    below.once('close', () => {
      this.#closed = true
      clearTimeout(this.#timer)
    })
    void this.#plan(token)
  }

  override receive(frame: Frame) {
    const id = this.#serial ? headerOf(frame)?.id : undefined
    if (typeof id !== 'string' || !id.startsWith(this.#prefix)) this.emit('frame', frame)
  }

  async #plan(token: string) {
    const { decodeJwt } = await import('jose')
    let expires: number | undefined
    try {
      expires = decodeJwt(token).exp
    } catch {
      return // It is no JWT: whoever understands it says when it ends.
    }
    if (expires !== undefined) this.#renewIn(RENEW_AFTER * (expires * 1000 - Date.now()), token)
  }

  #renewIn(delay: number, token: string) {
    if (this.#closed) return
    this.#timer = setTimeout(
      () => void this.#renew(token),
      Math.min(Math.max(delay, MIN_DELAY_MS), MAX_DELAY_MS)
    ).unref()
  }

  // The tier's answer needs no look: what it does not take ends the connection, with the reason.
  async #renew(last: string) {
    let token = last
    try {
      token = await this.#fresh()
      if (!this.#closed)
        this.below.send(
          encodeRequest(this.#prefix + ++this.#serial, 'tier.authenticate', [{ token }])
        )
    } catch {
      // It is tried again, as long as the tier waits.
    }
    await this.#plan(token)
  }
}
