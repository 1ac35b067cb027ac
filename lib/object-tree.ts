// The objects of a session by their handles, as a tree: a Worker has Routers, a Router has
// transports, and so on. What goes with its parent is removed with it here and nowhere else.

import type { Handle } from './frame.ts'

export interface TreeNode<D, K extends string = string> {
  readonly handle: Handle
  readonly kind: K
  /** Undefined for a root. */
  readonly parent: TreeNode<D, K> | undefined
  data: D
}

interface Node<D, K extends string> extends TreeNode<D, K> {
  readonly parent: Node<D, K> | undefined
  // Undefined while there are none: most objects have no children, and one owner.
  children: Set<Node<D, K>> | undefined
  /** Beside the parent. */
  owner: Node<D, K> | undefined
}

export interface ObjectTreeOptions<D, K extends string> {
  /** What `count()` counts together. Default: each kind by itself. */
  groupOf?(kind: K): string
  /**
   * Is told of each object that is removed, before its children. The tree does not have it any
   * more.
   */
  onRemoved?(node: TreeNode<D, K>): void
}

export class ObjectTree<D = undefined, K extends string = string> {
  readonly #nodes = new Map<Handle, Node<D, K>>()
  readonly #counts = new Map<string, number>()
  readonly #groupOf: (kind: K) => string
  readonly #onRemoved: (node: TreeNode<D, K>) => void

  constructor({ groupOf = kind => kind, onRemoved = () => {} }: ObjectTreeOptions<D, K> = {}) {
    this.#groupOf = groupOf
    this.#onRemoved = onRemoved
  }

  get size(): number {
    return this.#nodes.size
  }

  get(handle: Handle | undefined): TreeNode<D, K> | undefined {
    return this.#nodes.get(handle!)
  }

  values(): Iterable<TreeNode<D, K>> {
    return this.#nodes.values()
  }

  /** At this moment. */
  childrenOf(handle: Handle): TreeNode<D, K>[] {
    return [...(this.#nodes.get(handle)?.children ?? [])]
  }

  hasChildren(handle: Handle): boolean {
    return (this.#nodes.get(handle)?.children?.size ?? 0) > 0
  }

  /** How many objects of a group, or a kind, there are. */
  count(group: string): number {
    return this.#counts.get(group) ?? 0
  }

  /**
   * Adds an object. One that is there stays as it is. If its parent is not there, the object is
   * gone with it by now, and is not added.
   *
   * @returns the object; undefined if it was not added
   */
  add(handle: Handle, kind: K, parent: Handle | undefined, data: D): TreeNode<D, K> | undefined {
    const known = this.#nodes.get(handle)
    if (known) return known
    const on = parent === undefined ? undefined : this.#nodes.get(parent)
    if (parent !== undefined && !on) return undefined
    const node: Node<D, K> = {
      handle,
      kind,
      parent: on,
      data,
      children: undefined,
      owner: undefined
    }
    this.#nodes.set(handle, node)
    if (on) (on.children ??= new Set()).add(node)
    this.#count(kind, 1)
    return node
  }

  /** The object goes with another one, too, as a WebRtcTransport with its WebRtcServer. */
  own(handle: Handle, owner: Handle) {
    const [node, second] = [this.#nodes.get(handle), this.#nodes.get(owner)]
    if (!node || !second || node.owner || this.#isWithin(second, node)) return
    node.owner = second
    ;(second.children ??= new Set()).add(node)
  }

  /**
   * Removes an object, with all that goes with it.
   *
   * @param kind of which it has to be, as for a tier that closes it
   */
  remove(handle: Handle, kind?: string) {
    const node = this.#nodes.get(handle)
    if (node && (kind === undefined || node.kind === kind)) this.#remove(node)
  }

  /** Removes all, and tells nobody. */
  clear() {
    this.#nodes.clear()
    this.#counts.clear()
  }

  #remove(node: Node<D, K>) {
    if (!this.#nodes.delete(node.handle)) return
    node.parent?.children?.delete(node)
    node.owner?.children?.delete(node)
    this.#count(node.kind, -1)
    this.#onRemoved(node)
    for (const child of node.children ?? []) this.#remove(child)
  }

  /** An object that is owned by one of its own would be a cycle. */
  #isWithin(node: Node<D, K> | undefined, ancestor: Node<D, K>): boolean {
    return (
      node !== undefined &&
      (node === ancestor ||
        this.#isWithin(node.parent, ancestor) ||
        this.#isWithin(node.owner, ancestor))
    )
  }

  #count(kind: K, by: 1 | -1) {
    const group = this.#groupOf(kind)
    this.#counts.set(group, this.count(group) + by)
  }
}
