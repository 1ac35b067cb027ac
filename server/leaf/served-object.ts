// An object of mediasoup on a leaf: its handle, what its client was last told of it, and who hears
// its events.

import type { Announcement } from '../../lib/codec.ts'
import { type EventRole, type KindRow, type ObjectKind, kinds } from '../../lib/methods.ts'
import type { Entry as Recalled } from '../../lib/recall.ts'
import type { Handle } from '../../lib/wire.ts'
import { BorrowedRouter } from './borrow/borrowed-router.ts'
import type { MediasoupObject } from './mediasoup-object.ts'
import { WorkerShare } from './share/worker-share.ts'

export type { MediasoupObject }

type Hear = (entry: ServedObject, event: string, args: unknown[]) => void

/** Who hears what happens to an object: its session. */
export interface Listener {
  onNew: Hear
  onEvent: Hear
  onMedia: Hear
  onEnd: Hear
  onClose: Hear
  onSubprocessClose: Hear
}

export class ServedObject {
  readonly listener: Listener
  readonly handle: Handle
  readonly object: MediasoupObject
  readonly row: KindRow
  readonly parent: ServedObject | undefined
  /** The Worker that it is, or is on, if that is shared. */
  readonly share: WorkerShare | undefined
  /** Its client is closing it. */
  closing = false
  /** Of a Router: the ids of what other sessions have on it, which borrow from this one. */
  hidden: Set<string> | undefined
  /** How often something has happened to it, or was done with it. */
  happened = 0
  // The live members as last told; objects as JSON.
  #told: unknown[] | undefined

  readonly #names: Readonly<Record<string, string>> | undefined

  /** @param names members that are called otherwise in the session than in mediasoup */
  constructor(
    listener: Listener,
    handle: Handle,
    object: MediasoupObject,
    parent?: ServedObject,
    names?: Readonly<Record<string, string>>
  ) {
    this.#names = names
    this.listener = listener
    this.handle = handle
    this.object = object
    this.parent = parent
    this.share =
      parent?.share ??
      (object instanceof WorkerShare
        ? object
        : object instanceof BorrowedRouter
          ? object.lender.share
          : undefined)
    this.row = rowOf(object)
  }

  get kind() {
    return this.row.kind as ObjectKind
  }

  /** The Worker that it is, or is on. */
  get root(): ServedObject {
    // Its lender is another one of these.
    if (this.object instanceof BorrowedRouter) return this.object.lender.root as ServedObject
    return this.parent?.root ?? this
  }

  /** Whether its client, or a tier in between, knows of it. */
  get isTold(): boolean {
    if (this.object instanceof BorrowedRouter) return this.object.isTold
    return this.parent?.isTold ?? true
  }

  get announced() {
    return this.#told !== undefined
  }

  announce(): Announcement {
    this.#told = []
    const members: Record<string, unknown> = {}
    for (const name of this.row.fixed) members[name] = this.#member(name)
    Object.assign(members, this.changes())
    return {
      $: this.handle,
      kind: this.kind,
      of: this.parent?.handle,
      appData: this.object.appData,
      members
    }
  }

  /** Told again: its live members, and of its fixed ones those that are asked for. */
  recall(names: readonly string[]): Recalled {
    this.#told = []
    const live = this.changes() ?? {}
    const of = this.parent?.handle ?? null
    if (!names.length) return [this.handle, this.kind, of, live]
    const fixed = names.filter(name => name === 'appData' || this.row.fixed.includes(name))
    const members = Object.fromEntries(fixed.map(name => [name, this.#member(name)]))
    return [this.handle, this.kind, of, live, members]
  }

  /** The live members that are not as last told; what is undefined is null on the wire. */
  changes(): Record<string, unknown> | undefined {
    this.happened++
    const told = this.#told
    if (!told) return undefined
    let changes: Record<string, unknown> | undefined
    const { live } = this.row
    for (let i = 0; i < live.length; i++) {
      const value = this.#member(live[i]!)
      const comparable = typeof value === 'object' ? JSON.stringify(value) : value
      if (comparable === told[i]) continue
      told[i] = comparable
      changes ??= {}
      changes[live[i]!] = value ?? null
    }
    return changes
  }

  #member(name: string) {
    return this.#names?.[name] ?? (this.object as unknown as Record<string, unknown>)[name]
  }
}

// mediasoup's classes are named after its interfaces: RouterImpl.
function rowOf(object: MediasoupObject): KindRow {
  const { name } = object.constructor
  const row = kinds.get(
    object instanceof WorkerShare
      ? 'Worker'
      : object instanceof BorrowedRouter
        ? 'Router'
        : name.replace(/Impl$/, '')
  )
  if (!row) throw new TypeError(`mediasoup has a kind of object that the model has not: ${name}`)
  return row
}

// Objects, and their observers, to their entries. Weak: an entry lives as long as its object.
const entries = new WeakMap<object, ServedObject>()

export const servedObjectOf = (emitter: object) => entries.get(emitter)

/**
 * Listens to an object. The handlers are shared by all objects of a kind, which keeps an object
 * small.
 */
export function listen(entry: ServedObject) {
  const { object } = entry
  entries.set(object, entry)
  entries.set(object.observer, entry)
  for (const { event, on, handler } of handlersOf(entry.row)) {
    const emitter = on === 'self' ? object : object.observer
    emitter.on(event, handler)
  }
}

interface Handler {
  event: string
  on: 'self' | 'observer'
  handler(this: object, ...args: unknown[]): void
}

const handlers = new Map<KindRow, Handler[]>()

function handlersOf(row: KindRow): Handler[] {
  let known = handlers.get(row)
  if (!known) {
    known = [...row.events].flatMap(([event, role]) => handlerFor(row, event, role) ?? [])
    known.push(handler('close', 'observer', 'onClose'))
    handlers.set(row, known)
  }
  return known
}

function handlerFor({ kind }: KindRow, event: string, role: EventRole): Handler | undefined {
  switch (role) {
    case 'self':
    case 'both':
      return handler(event, 'self', kind === 'Worker' ? 'onSubprocessClose' : 'onEvent')
    case 'observer':
      return handler(event, 'observer', 'onEvent')
    case 'media':
      return handler(event, 'self', 'onMedia')
    case 'end':
      return handler(event, 'self', 'onEnd')
    case 'new':
      return handler(event, 'observer', 'onNew')
    case 'local':
      return undefined
  }
}

const handler = (event: string, on: Handler['on'], to: keyof Listener): Handler => ({
  event,
  on,
  handler(...args) {
    const entry = entries.get(this)!
    entry.listener[to](entry, event, args)
  }
})
