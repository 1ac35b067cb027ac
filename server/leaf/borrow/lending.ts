// What the sessions of a leaf lend each other: the Producers of each realm, by their ids. A copy
// that a pipe has brought is not lent: it may end before the Producer does.

import type { Wanted } from '../../../lib/borrow.ts'
import type { Listener, MediasoupObject, ServedObject } from '../served-object.ts'
import type { BorrowedRouter } from './borrowed-router.ts'

type Lent = Record<'Producer' | 'DataProducer', Map<string, ServedObject[]>>

/** What an object that is being made is called in its session. */
export interface Naming {
  /** In place of what mediasoup knows it by. */
  readonly members: Readonly<Record<string, string>>
  /** The object is there. */
  onAdded?(entry: ServedObject): void
}

export class Lending {
  readonly #realms = new Map<string, Lent>()
  // Ids of Producers on shared Workers: a process has each once.
  readonly #taken = new Map<string, ServedObject>()
  // By the appData of what is being made, which is the same object for mediasoup.
  readonly #namings = new WeakMap<object, Naming>()
  readonly #borrowers = new WeakMap<object, BorrowedRouter>()

  add(entry: ServedObject, realm: string) {
    const { kind, object, parent } = entry
    if (kind !== 'Producer' && kind !== 'DataProducer') return
    const { id } = object as unknown as { id: string }
    if (entry.share) this.#taken.set(takenKey(entry, id), entry)
    if (parent?.kind === 'PipeTransport') return
    let lent = this.#realms.get(realm)
    if (!lent) this.#realms.set(realm, (lent = { Producer: new Map(), DataProducer: new Map() }))
    const same = lent[kind].get(id)
    if (same) same.push(entry)
    else lent[kind].set(id, [entry])
  }

  remove(entry: ServedObject, realm: string) {
    const { kind, object } = entry
    if (kind !== 'Producer' && kind !== 'DataProducer') return
    const { id } = object as unknown as { id: string }
    if (entry.share && this.#taken.get(takenKey(entry, id)) === entry)
      this.#taken.delete(takenKey(entry, id))
    const lent = this.#realms.get(realm)
    const same = lent?.[kind].get(id)
    if (!lent || !same?.includes(entry)) return
    if (same.length > 1) return void same.splice(same.indexOf(entry), 1)
    lent[kind].delete(id)
    if (!lent.Producer.size && !lent.DataProducer.size) this.#realms.delete(realm)
  }

  /** @param borrower its own are not lent to it */
  find(
    realm: string,
    { producerId, dataProducerId }: Wanted,
    borrower?: Listener
  ): ServedObject | undefined {
    const lent = this.#realms.get(realm)
    const known =
      producerId === undefined
        ? lent?.DataProducer.get(dataProducerId!)
        : lent?.Producer.get(producerId)
    return known?.find(({ listener, object }) => listener !== borrower && !object.closed)
  }

  /** Whether another session has a Producer of that id on the Worker of an object. */
  isTaken(id: string, on: ServedObject): boolean {
    const known = on.share && this.#taken.get(takenKey(on, id))
    return known !== undefined && known.listener !== on.listener
  }

  /** What is made with this appData is called otherwise in its session. */
  name(appData: object, naming: Naming) {
    this.#namings.set(appData, naming)
  }

  namingOf({ appData }: MediasoupObject): Naming | undefined {
    return this.#namings.get(appData)
  }

  /** What is made with this appData on a Router of another session belongs to who borrows that. */
  claim = (appData: object, router: BorrowedRouter) => void this.#borrowers.set(appData, router)

  borrowerOf({ appData }: MediasoupObject): BorrowedRouter | undefined {
    return this.#borrowers.get(appData)
  }
}

const takenKey = ({ share }: ServedObject, id: string) => `${share!.pid} ${id}`
