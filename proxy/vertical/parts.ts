// The parts of one of the client's Workers, Routers or WebRtcServers: at most one on each Worker
// below.

import type { Announcement } from '../../lib/codec.ts'
import type { Handle } from '../../lib/wire.ts'

/** An object below that is a part of one of the client's. */
export abstract class Part<W> {
  /** The Worker below that it is on. */
  abstract readonly worker: W
  state: 'pending' | 'ready' | 'gone' = 'pending'
  /** Once it is ready, as its id. */
  handle!: Handle
  id!: string
  /** Settles when it is ready, or cannot be made. */
  promise!: Promise<this>

  arrived({ $, members }: Announcement) {
    this.handle = $
    this.id = members.id as string
    this.state = 'ready'
  }
}

interface Place {
  draining: boolean
}

export class Parts<W extends Place, P extends Part<W>> {
  // In the order in which they were asked for.
  readonly #parts = new Map<W, P>()
  #last: P | undefined

  /** Those that are there or on their way. */
  get all(): P[] {
    return [...this.#parts.values()]
  }

  get ready(): P[] {
    return this.all.filter(({ state }) => state === 'ready')
  }

  on(worker: W): P | undefined {
    return this.#parts.get(worker)
  }

  /**
   * The one that stands for all: the first that lasts, or else that is there, or else the last that
   * was.
   */
  get home(): P | undefined {
    const { ready } = this
    return ready.find(({ worker }) => !worker.draining) ?? ready[0] ?? this.#last
  }

  /** @param made settles when it is there; one that cannot be made is forgotten */
  add(part: P, made: Promise<void> = Promise.resolve()): P {
    this.#parts.set(part.worker, part)
    part.promise = made.then(() => part)
    part.promise.catch(() => this.delete(part))
    return part
  }

  delete(part: P) {
    if (part.state === 'ready') this.#last = part
    part.state = 'gone'
    if (this.#parts.get(part.worker) === part) this.#parts.delete(part.worker)
  }
}
