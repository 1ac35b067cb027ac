// What sessions on proxies have in common: a client's frames come in, and are dispatched by their heads.

import type { Announcement } from '../lib/codec.ts'
import { ProtocolError, UnknownOutcomeError, codes, describeError } from '../lib/errors.ts'
import type { Frame, Link } from '../lib/tier.ts'
import { peekHeader } from '../lib/frame-header.ts'
import type { CallHead, Head } from '../lib/frame.ts'
import { type Id, decode, encodeFailure, encodeResult, normalize } from '../lib/wire.ts'
import type { Caller } from './caller.ts'

export { unknownMethod } from '../lib/wire.ts'
export type { CallHead } from '../lib/frame.ts'

/** A session on a tier below. */
export interface Branch {
  link: Link
  caller: Caller
}

/** What goes to the client. */
export interface Replies {
  /** Sends a frame; with its head, if it is known. */
  tell(frame: Frame, head?: Head): void
  answer(id: Id | null | undefined, result: unknown): void
  fail(id: Id | null | undefined, error: unknown): void
  /** Answers with what a promise comes to. */
  settle(id: Id | null | undefined, promise: Promise<unknown>): void
}

// When this much waits for a client that reads too slowly, whoever below sends more has to wait.
const MAX_BACKLOG_BYTES = 256 * 1024

export abstract class ProxySession implements Replies {
  protected readonly link: Link
  readonly #held = new Set<Link>()
  // What came from either side while the client is to be told all that there is: from itself, and from those below that have told it.
  #waiting: Frame[] | undefined
  readonly #later = new Map<Link, (() => void)[]>()

  constructor(link: Link) {
    this.link = link
    link.on('frame', (frame, head) => this.#receive(frame, head))
    link.on('drain', () => this.#letGo())
    link.once('close', () => this.end())
  }

  /** Treats a frame, or passes it on. What it throws goes to the client. */
  protected abstract dispatch(head: CallHead, frame: Frame): void

  /** The client is gone. */
  protected abstract end(): void

  /** Something came from below: if the client does not keep up, what follows waits there, and nobody else does. */
  protected holdBack(below: Link) {
    if (this.link.bufferedAmount <= MAX_BACKLOG_BYTES || this.#held.has(below)) return
    this.#held.add(below)
    below.pause()
  }

  #letGo() {
    for (const link of this.#held) link.resume()
    this.#held.clear()
  }

  /** Answers what there is; the client's frames wait for that. */
  protected answerRecall(id: Id | null | undefined, recalled: Promise<Announcement[]>) {
    const waiting: Frame[] = this.#waiting = []
    const goOn = () => {
      this.#waiting = undefined
      const later = [...this.#later.values()].flat()
      this.#later.clear()
      for (const deliver of later) deliver()
      for (const frame of waiting) this.#receive(frame)
    }
    this.settle(id, recalled)
    recalled.then(goOn, goOn)
  }

  /** All that there is on a tier below. Nothing that it was asked before is answered. */
  protected async recallFrom(branch: Branch): Promise<Announcement[]> {
    branch.caller.forgotten()
    try {
      return await branch.caller.recall(() => this.#later.set(branch.link, []))
    } catch (error) {
      if (error instanceof UnknownOutcomeError) return this.recallFrom(branch) // It has forgotten meanwhile.
      throw error
    }
  }

  /** Where what comes from below has to wait: what it has told before, all that there is, is not told here yet. */
  protected queueOf(below: Link): (() => void)[] | undefined {
    return this.#later.get(below)
  }

  /** A tier below has forgotten all; whoever is above asks anew. */
  protected forgotten({ link, caller }: Branch) {
    this.#later.delete(link)
    caller.forgotten()
    link.discard?.()
  }

  #receive(frame: Frame, head?: Head) {
    if (this.#waiting) return void this.#waiting.push(frame)
    try {
      head ??= peekHeader(frame)
      if (!head) ({ frame, head } = normalize(frame))
      if (head.method === undefined) throw new ProtocolError(codes.request, 'a tier sends no requests to its clients, so it expects no answers', head.id)
      if (head.id === null) throw new ProtocolError(codes.request, 'the id of a request is a number or a string')
      this.dispatch(head as CallHead, frame)
    } catch (error) {
      this.fail(head?.id ?? (error instanceof ProtocolError ? error.id : null), error)
    }
  }

  tell(frame: Frame, head?: Head) {
    this.link.send(frame, head)
  }

  answer(id: Id | null | undefined, result: unknown) {
    if (id != null) this.link.send(encodeResult(id, result))
  }

  fail(id: Id | null | undefined, error: unknown) {
    this.link.send(encodeFailure(id ?? null, describeError(error)))
  }

  settle(id: Id | null | undefined, promise: Promise<unknown>) {
    promise.then(result => this.answer(id, result), error => this.fail(id, error))
  }
}

/** The params of a frame that is treated. */
export const paramsOf = (frame: Frame) => (decode(frame) as unknown as { params: unknown[] }).params

// More tiers than any tree has one above the other.
const MAX_VIA = 64

/** The tiers that a `tier.hello` came through. */
export function viaOf(frame: Frame): string[] {
  const { via = [] } = Object(paramsOf(frame)[0]) as { via?: unknown }
  const isPath = Array.isArray(via) && via.length <= MAX_VIA && via.every(node => typeof node === 'string')
  if (!isPath) throw new ProtocolError(codes.params, `via is a list of at most ${MAX_VIA} names of tiers`)
  return via
}
