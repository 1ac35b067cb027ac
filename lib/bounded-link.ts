// A Link of a session that ends with its connection, within the bounds that a ResumableLink keeps
// by itself.

import type { Budget, Holder } from './budget.ts'
import type { Frame, Head } from './frame.ts'
import { LinkFilter } from './link-filter.ts'
import { admit } from './outgoing.ts'
import { UNSTATED_MAX_PAYLOAD } from './socket-options.ts'
import type { Link } from './tier.ts'

export class BoundedLink extends LinkFilter implements Holder {
  readonly #budget: Budget

  constructor(below: Link, budget: Budget) {
    super(below)
    this.#budget = budget
    this.once('close', budget.enter(this))
  }

  get held() {
    return this.bufferedAmount
  }

  end(error: Error) {
    this.close(error)
  }

  override receive(frame: Frame, head?: Head) {
    this.emit('frame', frame, head)
  }

  override send(given: Frame, head?: Head) {
    const { bufferedAmount: waiting } = this
    const room = {
      maxPayload: UNSTATED_MAX_PAYLOAD,
      waiting,
      backlog: 0,
      maxBacklog: Infinity,
      connected: true
    }
    const { frame, dropped } = admit(given, head, room)
    if (dropped) this.emit('dropped', dropped)
    if (frame === undefined) return
    super.send(frame, head)
    this.#budget.add(frame.length)
  }
}
