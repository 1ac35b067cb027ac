// The session below a session on a vertical tier: takes the client's frames as they are or with other params, and what is done
// with their answers on the way up; and calls of the tier's own.

import type { Frame, Head } from '../../lib/frame.ts'
import type { Link } from '../../lib/tier.ts'
import { type Id, encodeRequest } from '../../lib/wire.ts'
import type { Caller } from '../caller.ts'
import type { Branch } from '../session.ts'

/** What goes up in place of an answer. */
export type Answered = (answer: Frame) => Frame

export class Downstream implements Branch {
  readonly link: Link
  readonly caller: Caller
  readonly #inFlight = new Map<Id, Answered>()

  constructor({ link, caller }: Branch) {
    this.link = link
    this.caller = caller
  }

  call(method: string, ...params: unknown[]): Promise<unknown> {
    return this.caller.call(method, ...params)
  }

  notify(method: string, ...params: unknown[]) {
    this.caller.notify(method, ...params)
  }

  /** Sends a request of the client's with other params. */
  forward(id: Id | null | undefined, method: string, params: unknown[], answered?: Answered) {
    if (id == null) return this.notify(method, ...params)
    if (answered) this.#inFlight.set(id, answered)
    this.link.send(encodeRequest(id, method, params))
  }

  /** Sends what the client sent. */
  pass(head: Head, frame: Frame, answered?: Answered) {
    if (head.id != null && answered) this.#inFlight.set(head.id, answered)
    this.link.send(frame, head)
  }

  isAsked(id: Id): boolean {
    return this.#inFlight.has(id)
  }

  /** What the client gets for an answer. */
  answered(frame: Frame, id: Id | null | undefined): Frame {
    const answered = this.#inFlight.get(id!)
    if (!answered) return frame
    this.#inFlight.delete(id!)
    return answered(frame)
  }

  /** Nothing that was asked before is answered. */
  forget() {
    this.#inFlight.clear()
  }
}
