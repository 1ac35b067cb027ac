// Children in the order of a policy. To put one in its place, and to find the best, takes time
// logarithmic in their number.

import sortedBtree from 'sorted-btree'

// A CommonJS module whose default export is one of several.
const { default: SortedMap } = sortedBtree

export class Ranking<C, T extends object> implements Iterable<C> {
  // By what was known of each when it was put in its place: what changes since does not disturb the
  // order.
  readonly #sorted: InstanceType<typeof SortedMap<T & { serial: number }, C>>
  readonly #ranks = new Map<C, T & { serial: number }>()
  #serial = 0

  /**
   * @param policy compares what is known of two children: the better one comes first, and of equal
   * ones the one that was here first
   */
  constructor(policy: (one: T, other: T) => number) {
    this.#sorted = new SortedMap(
      undefined,
      (one, other) => policy(one, other) || one.serial - other.serial
    )
  }

  get size() {
    return this.#ranks.size
  }

  /** Puts a child in its place, or in another one, by what is known of it now. */
  put(child: C, known: T) {
    const rank = { ...known, serial: this.#ranks.get(child)?.serial ?? ++this.#serial }
    this.delete(child)
    this.#ranks.set(child, rank)
    this.#sorted.set(rank, child)
  }

  delete(child: C) {
    const rank = this.#ranks.get(child)
    if (!rank) return
    this.#ranks.delete(child)
    this.#sorted.delete(rank)
  }

  /** The best first, and each once, also if it is put in another place meanwhile. */
  *[Symbol.iterator](): Generator<C> {
    const seen = new Set<C>()
    for (
      let next = this.#sorted.nextHigherPair(undefined);
      next;
      next = this.#sorted.nextHigherPair(next[0])
    ) {
      const [, child] = next
      if (!seen.has(child)) yield child
      seen.add(child)
    }
  }
}
