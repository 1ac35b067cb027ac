// What of a session's frames goes on to the tier: what its token allows, and within its limits.
// Whatever is refused here has touched nobody.

import type { Budget, Holder } from '../../lib/budget.ts'
import { LimitError, ProtocolError, codes, describeError } from '../../lib/errors.ts'
import { checkDepth, peekHeader } from '../../lib/frame-header.ts'
import type { CallHead, Head, Id } from '../../lib/frame.ts'
import { LinkFilter } from '../../lib/link-filter.ts'
import { type MethodRow, isAnswered, methods } from '../../lib/methods.ts'
import type { Frame, Link } from '../../lib/tier.ts'
import {
  decode,
  encodeFailure,
  encodeNotification,
  encodeRequest,
  headerOf,
  normalize,
  notUnique
} from '../../lib/wire.ts'
import { type DrainEvent, drainEvent, isResult, withoutWorkerBin } from './answers.ts'
import { checkArguments } from './arguments.ts'
import type { CallWatch, WatchedCall } from './call-watch.ts'
import { checkAccess } from './check-access.ts'
import { costOf, costOfAnswer, costOfMethod, costOfRecall, isAnswerPaid } from './costs.ts'
import { Offences } from './offences.ts'
import type { OperatorCalls } from './operator-calls.ts'
import { Pacer } from './pacer.ts'
import { QuotaTracker, type Reservation, retainsTooMuch } from './quota-tracker.ts'
import { type SessionLimits, lower } from './limits.ts'
import type { Grant } from './tokens.ts'

interface InFlight {
  isAnswerPaid: boolean
  bytes: number
  /** In ms, of performance.now(). */
  since: number
  reservation: Reservation | undefined
  drains: DrainEvent | undefined
  isHello: boolean
  watched: WatchedCall | undefined
}

// Some calls are never answered: those that a recall gave up, and a few of mediasoup's own. What
// they hold is free then.
const ANSWER_TIMEOUT_MS = 60_000

// A message of this size changes nothing that an object retains, or little.
const SMALL_CHANGE = 1024

export class AdmissionLink extends LinkFilter implements Holder {
  /** What the server of the tier answers itself. */
  operatorCalls: OperatorCalls = () => undefined
  /** Is told that the session has drained the host, or has cancelled that. */
  onDrain: (event: DrainEvent) => void = () => {}
  /** Is told of each call. */
  watch: CallWatch | undefined
  readonly #limits: SessionLimits
  readonly #grant: () => Grant | undefined
  readonly #budget: Budget | undefined
  readonly #pacer: Pacer
  readonly #offences = new Offences()
  readonly #quotas = new QuotaTracker()
  // In the order in which they were sent.
  readonly #inFlight = new Map<Id, InFlight>()
  #bytesInFlight = 0
  #recall: Id | undefined
  // The limits of the session, and the grant that they follow from.
  #granted: Grant | undefined
  #effective: SessionLimits
  // The link is not read while somebody above asks for that, or its pacer.
  #paused = false
  #closed = false

  /**
   * @param grant what the token of the session allows now; undefined where there are no tokens
   * @param budget counts what the objects of the session retain in this process
   */
  constructor(
    below: Link,
    limits: SessionLimits,
    grant: () => Grant | undefined = () => undefined,
    budget?: Budget
  ) {
    super(below)
    this.#limits = this.#effective = limits
    this.#grant = grant
    this.#budget = budget
    this.#pacer = new Pacer({
      pause: () => super.pause(),
      resume: () => {
        if (!this.#paused) super.resume()
      }
    })
    below.once('close', () => {
      this.#pacer.end()
      for (const { watched } of this.#inFlight.values()) watched?.lost()
    })
    if (budget) below.once('close', budget.enter(this))
  }

  get held() {
    return this.#quotas.retained
  }

  end(error: Error) {
    this.close(error)
  }

  /** How many objects the session has. */
  get objects() {
    return this.#quotas.size
  }

  override receive(frame: Frame, head: Head | undefined = peekHeader(frame)) {
    if (this.#closed) return
    this.watch?.received()
    const limits = this.#limitsNow()
    const isPaid = this.#pacer.pay(costOf(frame), limits.rate)
    try {
      checkDepth(frame, limits.depth)
      if (!head) ({ frame, head } = normalize(frame))
      if (head.method !== undefined) frame = this.#check(head as CallHead, frame, limits, isPaid)
    } catch (error) {
      this.watch?.refused(head, error)
      return this.#refuse(frame, head?.id ?? (error as ProtocolError).id ?? null, error)
    }
    if (this.#closed) return
    const answer =
      head.method === undefined ? undefined : this.operatorCalls(head as CallHead, frame)
    if (answer !== undefined) this.send(answer, { id: head.id! })
    else this.emit('frame', frame, head)
  }

  override send(frame: Frame, head?: Head) {
    this.watch?.sent()
    try {
      if (typeof frame === 'string') frame = this.#told(frame, head ?? headerOf(frame))
    } catch {
      // A tier below sent no message: the client is to judge it.
    }
    this.below.send(frame, head)
  }

  override pause() {
    this.#paused = true
    super.pause()
  }

  override resume() {
    this.#paused = false
    if (!this.#pacer.waits) super.resume()
  }

  override close(error?: Error) {
    this.#closed = true
    this.#pacer.end()
    super.close(error)
  }

  #refuse(frame: Frame, id: Id | null, error: unknown) {
    if (typeof frame !== 'string') this.#pacer.pay(1, this.#effective.rate)
    this.below.send(encodeFailure(id, describeError(error)))
    const offence = this.#offences.add(error)
    if (offence) this.close(offence)
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
  #check(head: CallHead, frame: Frame, limits: SessionLimits, isPaid: boolean): Frame {
    const { id, method, handle } = head
    if (id === null)
      throw new ProtocolError(codes.request, 'the id of a request is a number or a string')
    if (this.#granted) checkAccess(this.#granted, head, frame)
    const row = methods.get(method)
    const closes = row?.role === 'close'
    if (closes) frame = bare(head, frame)
    else if (row && row.member !== 'send') checkArguments(frame, head, limits)
    const changes = row !== undefined && frame.length > SMALL_CHANGE && isChange(row)
    if (changes) this.#checkRetained(id, frame, limits)
    if (id === undefined) this.#tell(row, head, frame, limits)
    else this.#depart(id, row, head, frame, limits, isPaid)
    if (closes) this.#quotas.closed(row.kind, handle)
    else if (changes && handle !== undefined) {
      this.#quotas.changed(handle, frame.length)
      this.#budget?.add(frame.length)
    }
    return frame
  }

  /**
   * To refuse what nobody waits for would leave the two ends with different objects: it is read
   * when its time has come.
   */
  #tell(row: MethodRow | undefined, { method }: CallHead, frame: Frame, { rate }: SessionLimits) {
    if (row && isAnswered(row.role))
      throw new ProtocolError(codes.request, `${method} is answered, so it needs an id`)
    if (isPayload(row, frame)) return
    if (typeof frame !== 'string') this.#pacer.pay(1, rate)
    if (rate === 0)
      this.close(new LimitError(codes.rate, 'a session sends at most 0 messages per second'))
  }

  #checkRetained(id: Id | undefined, frame: Frame, { bytesRetained }: SessionLimits) {
    if (this.#quotas.retained + frame.length <= bytesRetained) return
    if (id !== undefined) throw retainsTooMuch(bytesRetained)
    this.close(retainsTooMuch(bytesRetained))
  }

  #depart(
    id: Id,
    row: MethodRow | undefined,
    head: CallHead,
    frame: Frame,
    limits: SessionLimits,
    isPaid: boolean
  ) {
    const now = performance.now()
    this.#expire(now)
    if (this.#inFlight.has(id)) throw notUnique(id)
    if (!isPaid)
      throw new LimitError(codes.rate, `a session asks at most ${limits.rate} times per second`)
    if (this.#inFlight.size >= limits.inFlight)
      throw new LimitError(codes.inFlight, `a session waits for at most ${limits.inFlight} answers`)
    const bytes = frame.length
    if (this.#bytesInFlight + bytes > limits.bytesInFlight)
      throw new LimitError(
        codes.inFlight,
        `the requests of a session that are not answered have at most ${limits.bytesInFlight} bytes`
      )
    const { method } = head
    const reservation = this.#quotas.asked(head, frame, limits)
    this.#inFlight.set(id, {
      isAnswerPaid: isAnswerPaid(method, row),
      bytes,
      since: now,
      reservation,
      drains: method === 'tier.drain' ? drainEvent(frame, head) : undefined,
      isHello: method === 'tier.hello',
      watched: this.watch?.asked(head)
    })
    this.#bytesInFlight += bytes
    const more = (row ? 0 : costOfMethod(method)) + (typeof frame === 'string' ? 0 : 1)
    if (more) this.#pacer.pay(more, limits.rate)
    if (method === 'tier.recall') this.#recalls(id, frame, limits)
  }

  #recalls(id: Id, frame: Frame, { rate }: SessionLimits) {
    this.#pacer.pay(costOfRecall(this.#quotas.size), rate)
    const {
      params: [options]
    } = decode(frame) as unknown as { params: [{ nodes?: unknown } | undefined] }
    const nodes = Object(options).nodes as unknown
    this.#recall = id
    this.#quotas.recalls(Array.isArray(nodes) ? new Set(nodes) : undefined)
  }

  /** Nobody waits any more for what was asked so long ago. */
  #expire(now: number) {
    const deadline = now - ANSWER_TIMEOUT_MS
    for (const [id, { since, reservation, watched }] of this.#inFlight) {
      if (since > deadline) return
      watched?.lost()
      this.#forget(id)
      if (reservation) this.#quotas.release(reservation)
    }
  }

  #forget(id: Id): InFlight | undefined {
    const request = this.#inFlight.get(id)
    if (!request) return undefined
    this.#inFlight.delete(id)
    this.#bytesInFlight -= request.bytes
    return request
  }

  /** Answers what goes on. */
  #told(frame: string, head: Head | undefined): Frame {
    if (!head) return frame
    const before = this.#quotas.retained
    let told: Frame = frame
    if (head.method !== undefined) this.#quotas.told(head as CallHead, frame)
    else told = this.#answered(head.id, frame)
    const more = this.#quotas.retained - before
    if (more > 0) this.#budget?.add(more)
    return told
  }

  #answered(id: Id | null | undefined, frame: string): Frame {
    const request = this.#forget(id!)
    request?.watched?.answered(frame, id!, performance.now() - request.since)
    if (request?.isAnswerPaid) this.#pacer.pay(costOfAnswer(frame), this.#effective.rate)
    if (request?.drains && isResult(frame)) this.onDrain(request.drains)
    if (id != null && id === this.#recall) this.#quotas.recallAnswered()
    else if (!request || request.reservation) this.#quotas.answered(frame, request?.reservation)
    if (!request?.isHello || !this.#granted || this.#granted.scopes.has('operate')) return frame
    return withoutWorkerBin(frame)
  }
}

/** Packets, and messages of bytes, cost a part of one. */
const isPayload = (row: MethodRow | undefined, frame: Frame) =>
  typeof frame !== 'string' && (row?.role === 'media' || row?.member === 'send')

/** Whether a message may say what an object retains from now on. */
const isChange = ({ role, member }: MethodRow) =>
  member !== 'send' && (role === 'call' || role === 'cast')

/**
 * What is counted as closed has to be closed: so it goes on without what somebody behind us could
 * refuse.
 */
function bare(head: CallHead, frame: Frame): Frame {
  const {
    params: [handle, ...others]
  } = decode(frame, head) as unknown as { params: unknown[] }
  if (!others.length) return frame
  return head.id == null
    ? encodeNotification(head.method, [handle])
    : encodeRequest(head.id, head.method, [handle])
}
