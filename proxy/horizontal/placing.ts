// New Workers of a session on a cluster: each goes to the best child that can be reached, and takes
// it.

import { ConnectionError, IncompatibleError } from '../../lib/errors.ts'
import type { ChildSession } from '../session.ts'
import type { Child } from './child.ts'
import type { ClusterContext } from './context.ts'

export interface ClusterChildSession extends ChildSession {
  child: Child
}

/** A Worker on its way to a child. */
export interface Placement {
  /** Must be told whether it was made. */
  placed(isMade: boolean): void
  /** Tries the next child; but first, once, the one that was lost, which may be there again. */
  tryNext(failure: Error, lost?: Child): void
}

export class Placing {
  readonly #cluster: ClusterContext
  readonly #branchOf: (child: Child) => Promise<ClusterChildSession>
  readonly #model: () => string | undefined
  readonly #order: () => Iterable<Child>
  // Workers that are on their way.
  #pending = 0
  // What is to be placed belongs to one of these.
  #generation = {}

  /** @param model the one that the session was told, once it was */
  constructor(
    cluster: ClusterContext,
    branchOf: (child: Child) => Promise<ClusterChildSession>,
    model: () => string | undefined
  ) {
    this.#cluster = cluster
    this.#branchOf = branchOf
    this.#model = model
    this.#order = cluster.newOrder()
  }

  /**
   * @param send asks a child for it
   * @param fail is told when there is no other
   */
  async place(
    send: (branch: ClusterChildSession, placement: Placement) => void,
    fail: (error: unknown) => void
  ) {
    const generation = this.#generation
    await this.#cluster.untilRegained()
    const children = this.#order()[Symbol.iterator]()

    const tryOn = async (failure: unknown, again?: Child) => {
      for (let child = again ?? children.next().value; child; child = children.next().value) {
        if (generation !== this.#generation) return
        const model = this.#model()
        if (model !== undefined && child.hello && child.hello.model !== model) {
          // The hosts were upgraded since the session began.
          failure = new IncompatibleError(
            `the host ${child.tier.name ?? ''} describes mediasoup in another way than those that the session began on`
          )
          continue
        }
        const isAgain = child === again
        const placed = this.#count(child.place())
        try {
          const branch = await this.#branchOf(child)
          if (generation !== this.#generation) return placed(false)
          return send(branch, {
            placed,
            tryNext: (error, lost) => void tryOn(error, isAgain ? undefined : lost)
          })
        } catch (error) {
          placed(false)
          failure = error
        }
      }
      if (!(failure instanceof IncompatibleError)) this.#cluster.refused(this, this.#pending + 1)
      fail(failure)
    }
    await tryOn(new ConnectionError('no host of the cluster can be reached'))
  }

  #count(placed: (isMade: boolean) => void): (isMade: boolean) => void {
    this.#pending++
    return isMade => {
      this.#pending--
      placed(isMade)
    }
  }

  /** Nobody waits any more for what was to be placed. */
  abandon() {
    this.#generation = {}
  }
}
