// The session below a session on a vertical tier: takes the client's frames as they are or with
// other params, and what is done with their answers on the way up; and calls of the tier's own.

import { describeError, unknownOutcome } from '../../lib/errors.ts'
import type { Frame, Head } from '../../lib/frame.ts'
import type { Link } from '../../lib/tier.ts'
import { type Id, encodeFailure, encodeRequest } from '../../lib/wire.ts'
import { RpcClient } from '../rpc-client.ts'
import type { ChildSession } from '../session.ts'

/** What goes up in place of an answer. */
export type Answered = (answer: Frame) => Frame

interface InFlight {
  method: string
  answered: Answered | undefined
  /** It was sent on a connection that broke. */
  isUncertain: boolean
}

export class Downstream extends RpcClient implements ChildSession {
  readonly link: Link
  readonly #inFlight = new Map<Id, InFlight>()

  constructor(link: Link) {
    super(link)
    this.link = link
    link.on('lost', () => {
      for (const request of this.#inFlight.values()) request.isUncertain = true
    })
  }

  /** What makes calls of the tier's own. */
  get rpc() {
    return this
  }

  /** Sends a request of the client's with other params. */
  forward(
    { id, trace }: Pick<Head, 'id' | 'trace'>,
    method: string,
    params: unknown[],
    answered?: Answered
  ) {
    if (id == null) return this.notify(method, ...params)
    this.#inFlight.set(id, { method, answered, isUncertain: false })
    this.link.send(encodeRequest(id, method, params, trace))
  }

  /** Sends what the client sent. */
  pass(head: Head, frame: Frame, answered?: Answered) {
    if (head.id != null)
      this.#inFlight.set(head.id, { method: head.method!, answered, isUncertain: false })
    this.link.send(frame, head)
  }

  isAsked(id: Id): boolean {
    return this.#inFlight.has(id)
  }

  /** What the client gets for an answer; undefined if it does not wait for it any more. */
  answered(frame: Frame, id: Id | null | undefined): Frame | undefined {
    if (id == null) return frame
    const request = this.#inFlight.get(id)
    if (!request) return void this.closeUnknown(frame)
    this.#inFlight.delete(id)
    return request.answered ? request.answered(frame) : frame
  }

  /**
   * The tier below is another one than before: answers in its place what it was asked before its
   * connection broke.
   */
  override forgotten(): Frame[] {
    super.forgotten()
    const uncertain = [...this.#inFlight].filter(([, { isUncertain }]) => isUncertain)
    return uncertain.map(
      ([id, { method }]) =>
        this.answered(encodeFailure(id, describeError(unknownOutcome(method))), id)!
    )
  }
}
