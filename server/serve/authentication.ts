// Authentication of a connection: by its first message, unless the upgrade brought a token, and
// again before the token expires. What this layer treats is about the connection, and the session
// above it never sees it.

import { MAX_DURATION } from '../../lib/duration.ts'
import { AccessError, LimitError, ProtocolError, codes, describeError } from '../../lib/errors.ts'
import { SMALL_FRAME, peekHeader } from '../../lib/frame-header.ts'
import type { Head } from '../../lib/frame.ts'
import { LinkFilter } from '../../lib/link-filter.ts'
import type { Frame, Link } from '../../lib/tier.ts'
import { decode, encodeFailure, encodeResult, headerOf } from '../../lib/wire.ts'
import { TokenBucket } from './token-bucket.ts'
import type { Grant, Tokens } from './tokens.ts'

const AUTHENTICATE = 'tier.authenticate'
// How long the first message may take, and how large it may be: tokens are smaller.
const PATIENCE_MS = 3_000
export const MAX_MESSAGE_BYTES = 16 * 1024

// To verify a token takes long. It is renewed once a second for as long as somebody likes, and at
// once so many times.
const RENEWALS = 10

const TOO_OFTEN = `a token is renewed at most ${RENEWALS} times at once, and once per second`

// Also the reason of a close, which holds 123 bytes.
const NO_TOKEN =
  'the first message is tier.authenticate with {"token": …}, or the upgrade has Authorization: Bearer …'

const TOO_LARGE = `tier.authenticate has at most ${MAX_MESSAGE_BYTES} bytes`

const refusalFor = (error: unknown) =>
  error instanceof AccessError || error instanceof LimitError ? error : unauthenticated(NO_TOKEN)

const unauthenticated = (why: string) => new AccessError(codes.unauthenticated, why)

export interface AuthenticationEvents {
  /** It is known who is there, and the upgrade did not say so. */
  onGrant?(grant: Grant): void
  onRenewed?(): void
  /** Nobody is let in, or a token is not renewed. The answer waits. */
  onRefused?(error: Error, isGuess: boolean): Promise<void>
}

export class AuthenticatedLink extends LinkFilter {
  readonly #tokens: Tokens
  #grant: Grant | undefined
  #timer: NodeJS.Timeout | undefined
  // What came while a token was being verified.
  #waiting: Frame[] = []
  #verifying = false
  readonly #renewals = new TokenBucket(RENEWALS)
  #closed = false
  readonly #events: AuthenticationEvents

  /**
   * @param grant of the token that the upgrade brought
   */
  constructor(below: Link, tokens: Tokens, grant?: Grant, events: AuthenticationEvents = {}) {
    super(below)
    this.#tokens = tokens
    this.#events = events
    below.once('close', () => this.#end())
    if (grant) this.#admit(grant)
    else
      this.#timer = setTimeout(() => this.#giveUp(unauthenticated(NO_TOKEN)), PATIENCE_MS).unref()
  }

  get grant() {
    return this.#grant
  }

  override receive(frame: Frame, head: Head | undefined = this.#headerOf(frame)) {
    if (this.#closed) return
    if (this.#verifying) this.#waiting.push(frame)
    else if (head?.method === AUTHENTICATE || !this.#grant) void this.#authenticate(frame)
    else this.emit('frame', frame, head)
  }

  // What is large is no authentication, and its depth is not checked yet.
  #headerOf(frame: Frame) {
    return frame.length < SMALL_FRAME ? headerOf(frame) : peekHeader(frame)
  }

  // → {"id": 1, "method": "tier.authenticate", "params": [{"token": "…"}]}
  // ← {"id": 1, "result": {"subject": "…", "scopes": ["create"], "expires": 1700000000}}
  async #authenticate(frame: Frame) {
    const known = this.#grant
    if (known && !this.#renewals.take(1)) return this.#refuse(new LimitError(codes.rate, TOO_OFTEN))
    this.#verifying = true
    this.below.pause()
    let id
    try {
      // Nothing is parsed that could take long.
      if (frame.length > MAX_MESSAGE_BYTES) throw new LimitError(codes.size, TOO_LARGE)
      const message = decode(frame)
      id = message.id
      if (message.method !== AUTHENTICATE) throw new AccessError(codes.unauthenticated, NO_TOKEN)
      const grant = await this.#tokens.verify(tokenOf(message.params))
      if (known && known.subject !== grant.subject)
        throw new AccessError(codes.forbidden, 'a token is renewed for the subject that it was for')
      if (known && known.realm !== grant.realm)
        throw new AccessError(codes.forbidden, 'a token is renewed for the realm that it was for')
      if (!known && !this.#closed) this.#events.onGrant?.(grant)
      this.#admit(grant)
      if (known) this.#events.onRenewed?.()
      if (id !== undefined)
        this.below.send(
          encodeResult(id!, {
            subject: grant.subject,
            scopes: [...grant.scopes],
            expires: grant.expires / 1000
          })
        )
    } catch (error) {
      await this.#events.onRefused?.(error as Error, error instanceof AccessError)
      this.below.send(
        encodeFailure(id ?? (error as ProtocolError).id ?? null, describeError(error))
      )
      if (!known) this.#refuse(refusalFor(error))
    }
    this.#verifying = false
    this.below.resume()
    for (const frame of this.#waiting.splice(0)) this.receive(frame)
  }

  #admit(grant: Grant) {
    if (this.#closed) return
    this.#grant = grant
    this.#expire()
  }

  #expire() {
    clearTimeout(this.#timer)
    const left = this.#grant!.expires + this.#tokens.grace - Date.now()
    this.#timer = setTimeout(
      () =>
        left > MAX_DURATION
          ? this.#expire()
          : this.#refuse(unauthenticated('the token has expired, and was not renewed')),
      Math.min(left, MAX_DURATION)
    ).unref()
  }

  #giveUp(error: Error) {
    void this.#events.onRefused?.(error, false)
    this.#refuse(error)
  }

  #refuse(error: Error) {
    this.#end()
    this.close(error)
  }

  #end() {
    this.#closed = true
    clearTimeout(this.#timer)
    this.#waiting = []
  }
}

function tokenOf([credentials]: unknown[]): string {
  const token = (credentials as { token?: unknown } | null | undefined)?.token
  if (typeof token !== 'string')
    throw new ProtocolError(codes.params, 'tier.authenticate takes {"token": …}, a string')
  return token
}
