// An application may choose the ids of its Producers and DataProducers, and ids are unique in a worker process. What a
// session of a shared Worker calls as something of another session is already called, has another id there.

import { randomUUID } from 'node:crypto'
import type { EventEmitter } from 'node:events'
import type * as ms from 'mediasoup/types'
import type { Frame } from '../lib/tier.ts'
import type { Entry } from './entry.ts'

type Produced = Promise<ms.Producer | ms.DataProducer>
type Produce = (options?: { id?: string }) => Produced

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g

// How many of what is closed keep their names, for answers that come after.
const MAX_CLOSED = 100

/** The names that a session chose, by the ids that stand for them in workers. Nearly always there are none. */
export class Aliases {
  readonly #chosen = new Map<string, string>()
  readonly #closed = new Set<string>()

  /** What the session calls it. */
  chosen(id: string): string {
    return this.#chosen.get(id) ?? id
  }

  /** Puts ids for the names in the options of a call. A name can stand for one in each worker, and is unique in the Router that is meant. */
  resolve(options: unknown, target: Entry, entries: ReadonlyMap<unknown, Entry>) {
    if (!this.#chosen.size || typeof options !== 'object' || options === null) return
    const named = options as { producerId?: string; dataProducerId?: string }
    for (const member of ['producerId', 'dataProducerId'] as const) {
      const ids = [...this.#chosen].filter(([, chosen]) => chosen === named[member]).map(([id]) => id)
      const found = ids.length && [...entries.values()].find(entry => ids.includes(idOf(entry)) && routerOf(entry) === routerOf(target))
      if (found) named[member] = idOf(found)
    }
  }

  /** A frame as the session is to see it. That an id is random makes it safe to look for it in text. */
  reveal(frame: Frame): Frame {
    if (!this.#chosen.size || typeof frame !== 'string') return frame
    return frame.replace(UUID, id => this.#chosen.has(id) ? JSON.stringify(this.#chosen.get(id)).slice(1, -1) : id)
  }

  /**
   * Lets a transport produce also when the id is taken: by its application, and by pipeToRouter(), which keeps ids.
   *
   * @param taken What has another id in the transport's worker, by name.
   * @param isOwn Whether the session itself has something of that id there. It is an error then, as ever.
   */
  attend(transport: ms.Transport, taken: Map<string, string>, isOwn: (id: string) => Promise<boolean>) {
    const methods = transport as unknown as Record<'produce' | 'produceData', Produce>
    for (const member of ['produce', 'produceData'] as const) {
      const produce = methods[member].bind(transport)
      methods[member] = async options => {
        const { id } = options ?? {}
        // What is no name is mediasoup's to take or to refuse.
        if (!id || typeof id !== 'string') return produce(options)
        const as = (id: string) => produce({ ...options, id })
        const name = this.chosen(id)
        // mediasoup refuses what is there already.
        if (taken.has(name)) return as(taken.get(name)!)
        if (name !== id) return await isOwn(name) ? as(name) : this.#hold(name, id, taken, as)
        try {
          return await produce(options)
        } catch (error) {
          if (!/handler with ID .* already exists/.test((error as Error).message) || await isOwn(name)) throw error
          return taken.has(name) ? as(taken.get(name)!) : this.#alias(name, taken, as)
        }
      }
    }
  }

  async #alias(name: string, taken: Map<string, string>, produce: (id: string) => Produced) {
    const id = randomUUID()
    this.#chosen.set(id, name)
    return this.#hold(name, id, taken, produce, () => this.#retire(id))
  }

  #retire(id: string) {
    this.#closed.add(id)
    if (this.#closed.size <= MAX_CLOSED) return
    const [oldest] = this.#closed
    this.#closed.delete(oldest!)
    this.#chosen.delete(oldest!)
  }

  /** Nothing else has the name in the worker, until it is closed. */
  async #hold(name: string, id: string, taken: Map<string, string>, produce: (id: string) => Produced, andThen: () => unknown = () => {}) {
    const free = () => {
      taken.delete(name)
      andThen()
    }
    taken.set(name, id)
    try {
      const producer = await produce(id)
      ;(producer.observer as EventEmitter).once('close', free)
      return producer
    } catch (error) {
      free()
      throw error
    }
  }
}

const idOf = ({ object }: Entry) => (object as { id?: string }).id!

const routerOf = (entry: Entry | undefined): Entry | undefined => !entry || entry.kind === 'Router' ? entry : routerOf(entry.parent)
