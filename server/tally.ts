// How many objects a session has, of each group: counted at the door, from what is created, closed and told.

import type { ObjectKind } from '../lib/methods.ts'
import { nodeOf } from '../lib/head.ts'
import type { Handle } from '../lib/wire.ts'
import { type Group, groupOf } from './limits.ts'

interface Counted {
  handle: Handle
  kind: ObjectKind
  owner: Counted | undefined
  /** What is closed with it. Undefined while there is nothing. */
  owned: Set<Counted> | undefined
}

export class Tally {
  readonly #objects = new Map<Handle, Counted>()
  readonly #counts = new Map<Group, number>()

  /** With those that are being created. */
  count(group: Group) {
    return this.#counts.get(group) ?? 0
  }

  /** One is being created: released, or replaced by the object that was. */
  reserve(group: Group) {
    this.#counts.set(group, this.count(group) + 1)
  }

  release(group: Group) {
    this.#counts.set(group, this.count(group) - 1)
  }

  /** An object was made. If what it is on is gone by then, so is the object. */
  add(handle: Handle, kind: ObjectKind, on?: Handle) {
    const owner = on === undefined ? undefined : this.#objects.get(on)
    if (this.#objects.has(handle) || (on !== undefined && !owner)) return
    const counted: Counted = { handle, kind, owner, owned: undefined }
    this.#objects.set(handle, counted)
    if (owner) (owner.owned ??= new Set()).add(counted)
    this.reserve(groupOf(kind))
  }

  /** It is closed with this one, too: a WebRtcTransport with its WebRtcServer. */
  attach(handle: Handle, to: Handle) {
    const [counted, owner] = [this.#objects.get(handle), this.#objects.get(to)]
    if (counted && owner) (owner.owned ??= new Set()).add(counted)
  }

  /** It is closed, with all that it owns. What is of another kind is not: nobody would close it for that. */
  remove(handle: Handle, kind: string) {
    const counted = this.#objects.get(handle)
    if (counted?.kind !== kind) return
    counted.owner?.owned?.delete(counted)
    this.#drop(counted)
  }

  /** Of the objects on these nodes, only those that are named are there; their names are used up. */
  retain(nodes: ReadonlySet<string>, there: Set<Handle>) {
    if (!nodes.size) return
    for (const counted of this.#objects.values()) {
      const { handle } = counted
      if (!nodes.has(nodeOf(handle)) || there.delete(handle)) continue
      counted.owner?.owned?.delete(counted)
      this.#drop(counted)
    }
  }

  #drop(counted: Counted) {
    if (!this.#objects.delete(counted.handle)) return
    this.release(groupOf(counted.kind))
    for (const each of counted.owned ?? []) this.#drop(each)
  }
}
