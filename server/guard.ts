// What of a session's frames goes on to the tier: what its token allows, and within its limits. Whatever is refused here has
// touched nobody.

import { AccessError, LimitError, ProtocolError, codes, describeError } from '../lib/errors.ts'
import { type Head, type ReadHead, canonical, headOf } from '../lib/head.ts'
import { Layer } from '../lib/layer.ts'
import { isAnswered, methods } from '../lib/methods.ts'
import { scan } from '../lib/scan.ts'
import { scopeOf } from '../lib/scopes.ts'
import type { Frame, Link } from '../lib/tier.ts'
import { type Id, decode, encodeFailure, encodeNotification, encodeRequest, notUnique } from '../lib/wire.ts'
import { Bucket } from './bucket.ts'
import { Census, type Expected } from './census.ts'
import { type SessionLimits, lower } from './limits.ts'
import type { Grant } from './tokens.ts'

type CallHead = Head & { method: string }

export class Guard extends Layer {
  readonly #limits: SessionLimits
  readonly #grant: () => Grant | undefined
  readonly #bucket = new Bucket()
  readonly #census = new Census()
  // The bytes of each request.
  readonly #inFlight = new Map<Id, number>()
  readonly #expected = new Map<Id, Expected>()
  #bytesInFlight = 0
  // The limits of the session, and the grant that they follow from.
  #granted: Grant | undefined
  #effective: SessionLimits
  #closed = false

  /** @param grant what the token of the session allows now; undefined where there are no tokens */
  constructor(below: Link, limits: SessionLimits, grant: () => Grant | undefined = () => undefined) {
    super(below)
    this.#limits = this.#effective = limits
    this.#grant = grant
  }

  override receive(frame: Frame, known?: Head) {
    if (this.#closed) return
    const read = isRead(known) ? known : headOf(frame)
    let head: Head | undefined = read
    try {
      const { depth, plain } = scan(frame, read)
      const limits = this.#limitsNow()
      if (depth > limits.depth) throw new LimitError(codes.depth, `a message nests at most ${limits.depth} levels deep`)
      // Whoever reads the frame after us must not read another method than we do: of two keys, JSON.parse takes the last.
      if (!head || !plain) ({ frame, head } = canonical(frame))
      if (head.method !== undefined) frame = this.#check(head as CallHead, frame, limits)
    } catch (error) {
      return this.below.send(encodeFailure(head?.id ?? (error as ProtocolError).id ?? null, describeError(error)))
    }
    if (!this.#closed) this.emit('frame', frame, head)
  }

  override send(frame: Frame, head?: Head) {
    if (typeof frame === 'string') this.#told(frame, head ?? headOf(frame))
    this.below.send(frame, head)
  }

  override close(error?: Error) {
    this.#closed = true
    super.close(error)
  }

  #limitsNow(): SessionLimits {
    const grant = this.#grant()
    if (grant !== this.#granted) {
      this.#granted = grant
      this.#effective = grant ? lower(this.#limits, grant.limits) : this.#limits
    }
    return this.#effective
  }

  /** Answers what goes on. */
  #check(head: CallHead, frame: Frame, limits: SessionLimits): Frame {
    const { id, method, handle } = head
    if (id === null) throw new ProtocolError(codes.request, 'the id of a request is a number or a string')
    if (this.#granted) checkAccess(this.#granted, head, frame)
    const row = methods.get(method)
    const closes = row?.role === 'close'
    if (closes) frame = bare(head, frame)
    if (id === undefined) {
      if (row && isAnswered(row.role)) throw new ProtocolError(codes.request, `${method} is answered, so it needs an id`)
      // To refuse what nobody waits for would leave the two ends with different objects. Packets and bytes are not counted.
      if (typeof frame === 'string' && !this.#bucket.owe(limits.rate)) this.close(new LimitError(codes.rate, `a session sends at most ${limits.rate} messages per second`))
    } else {
      this.#depart(id, head, frame, limits)
    }
    if (closes) this.#census.closed(row, handle)
    return frame
  }

  #depart(id: Id, head: CallHead, frame: Frame, limits: SessionLimits) {
    if (this.#inFlight.has(id)) throw notUnique(id)
    if (!this.#bucket.take(limits.rate)) throw new LimitError(codes.rate, `a session asks at most ${limits.rate} times per second`)
    if (this.#inFlight.size >= limits.inFlight) throw new LimitError(codes.inFlight, `a session waits for at most ${limits.inFlight} answers`)
    const bytes = frame.length
    if (this.#bytesInFlight + bytes > limits.bytesInFlight) throw new LimitError(codes.inFlight, `the requests of a session that are not answered have at most ${limits.bytesInFlight} bytes`)
    const expected = this.#census.asked(head, frame, limits)
    if (expected) this.#expected.set(id, expected)
    this.#inFlight.set(id, bytes)
    this.#bytesInFlight += bytes
  }

  #told(frame: string, head: Head | undefined) {
    if (!head) return
    if (head.method !== undefined) return this.#census.told(head as CallHead, frame)
    const id = head.id!
    this.#bytesInFlight -= this.#inFlight.get(id) ?? 0
    this.#inFlight.delete(id)
    const expected = this.#expected.size ? this.#expected.get(id) : undefined
    if (!expected) return
    this.#expected.delete(id)
    this.#census.answered(expected, frame)
  }
}

const isRead = (head: Head | undefined): head is ReadHead => head?.length !== undefined

/** What is counted as closed has to be closed: so it goes on without what somebody behind us could refuse. */
function bare(head: CallHead, frame: Frame): Frame {
  const { params: [handle, ...others] } = decode(frame, head) as unknown as { params: unknown[] }
  if (!others.length) return frame
  return head.id == null ? encodeNotification(head.method, [handle]) : encodeRequest(head.id, head.method, [handle])
}

function checkAccess({ scopes, expires }: Grant, head: CallHead, frame: Frame) {
  const { id, method } = head
  const scope = speaksForOthers(head, frame) ? 'operate' : scopeOf(method)
  if (!scope) return
  if (!scopes.has(scope)) throw new AccessError(codes.forbidden, `${method} needs the scope ${scope}, and the token has ${[...scopes].join(', ')}`)
  // What nobody waits for goes on in the grace: the client may have closed an object, and believes that it is.
  if (id !== undefined && Date.now() > expires) throw new AccessError(codes.unauthenticated, `the token has expired: renew it with tier.authenticate before ${method}`)
}

/** A tier whose name is among those that are said to be above is refused, as a child of itself: for all. */
function speaksForOthers(head: CallHead, frame: Frame): boolean {
  if (head.method !== 'tier.hello') return false
  const { params: [hello] } = decode(frame, head) as unknown as { params: unknown[] }
  return (Object(hello) as { via?: unknown }).via !== undefined
}
