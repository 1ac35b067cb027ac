// What a session on a cluster borrows from sessions on other children: each child is asked whether it
// has a Producer, and the one that has it lends the Router there, from which it is piped.

import pLimit from 'p-limit'
import {
  type Borrowed,
  type Found,
  type Wanted,
  realmIn,
  unknownProducer,
  wantedOf
} from '../../lib/borrow.ts'
import { nodeOf } from '../../lib/frame-header.ts'
import type { Location } from '../../lib/hello.ts'
import type { Handle } from '../../lib/frame.ts'
import type { Piping } from '../pipe-to-router.ts'
import type { Child } from './child.ts'
import type { ClusterChildSession } from './placing.ts'

interface Options {
  children(): Iterable<Child>
  realm: string | undefined
  piping: Piping
  branchOf(child: Child): Promise<ClusterChildSession>
  /** Objects with this node in their handles are behind a branch. */
  onNode(node: string, branch: ClusterChildSession): void
}

interface Known {
  child: Child
  found: Found
}

// A search asks each child: so many of a session are on their way, and the others wait.
const MAX_SEARCHES = 8

export class Borrowing {
  readonly #options: Options
  // What is being piped, by the Router that it is for and its id.
  readonly #coming = new Map<string, Promise<void>>()
  readonly #searches = pLimit(MAX_SEARCHES)

  constructor(options: Options) {
    this.#options = options
  }

  /** `tier.find` and `tier.search`: only the latter names a realm. */
  async find(method: string, params: unknown[]): Promise<Found> {
    const realm = method === 'tier.search' ? realmIn(params) : undefined
    return (await this.#search(wantedOf(params[0]), realm)).found
  }

  /** `tier.borrow` */
  async borrow(params: unknown[]): Promise<Borrowed> {
    return (await this.#borrow(wantedOf(params[0]))).borrowed
  }

  /**
   * Pipes a Producer of another session to the Router of a transport.
   *
   * @throws NotFoundError when no child has it, or it is the session's own
   */
  async bring(branch: ClusterChildSession, transport: Handle, wanted: Wanted): Promise<void> {
    const { router } = (await branch.rpc.call('tier.locate', transport)) as Location
    if (router === undefined) throw unknownProducer(wanted) // An older leaf does not say it.
    const key = `${router} ${wanted.producerId ?? `data ${wanted.dataProducerId}`}`
    let brought = this.#coming.get(key)
    if (!brought) {
      brought = this.#pipe(branch, router, wanted).finally(() => this.#coming.delete(key))
      this.#coming.set(key, brought)
    }
    return brought
  }

  async #pipe(to: ClusterChildSession, router: Handle, wanted: Wanted) {
    const { branch, borrowed } = await this.#borrow(wanted)
    // What is on the same child, that one brings.
    if (branch === to) throw unknownProducer(wanted)
    await this.#options.piping.pipeToRouter(
      { branch, router: borrowed.router },
      { branch: to, router },
      { ...wanted, borrowed: true }
    )
  }

  async #borrow(wanted: Wanted) {
    const { branchOf, onNode } = this.#options
    const { child } = await this.#search(wanted)
    const branch = await branchOf(child)
    const borrowed = (await branch.rpc.call('tier.borrow', wanted)) as Borrowed
    onNode(nodeOf(borrowed.router), branch)
    return { branch, borrowed }
  }

  async #search(wanted: Wanted, realm = this.#options.realm): Promise<Known> {
    const ask = () =>
      Promise.any(
        [...this.#options.children()].map(child => this.#ask(child, { ...wanted, realm }))
      )
    try {
      return await this.#searches(ask)
    } catch {
      throw unknownProducer(wanted)
    }
  }

  async #ask(child: Child, wanted: Wanted & { realm: string | undefined }): Promise<Known> {
    if (!child.rpc) throw unknownProducer(wanted)
    return { child, found: (await child.rpc.call('tier.search', wanted)) as Found }
  }
}
