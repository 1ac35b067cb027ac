// An object of mediasoup on a leaf: its handle, what its client was last told of it, and who hears its events.

import type { EventEmitter } from 'node:events'
import type { Announcement } from '../lib/codec.ts'
import { type EventRole, type KindRow, type ObjectKind, kinds } from '../lib/methods.ts'
import type { Handle } from '../lib/wire.ts'
import { WorkerLease } from './lease.ts'
import type { Session } from './session.ts'

/** What the objects of mediasoup have in common. */
export interface MediasoupObject extends EventEmitter {
  readonly closed: boolean
  readonly observer: EventEmitter
  readonly appData: Record<string, unknown>
  close(): void
}

export class Entry {
  readonly session: Session
  readonly handle: Handle
  readonly object: MediasoupObject
  readonly row: KindRow
  readonly parent: Entry | undefined
  /** The Worker that it is, or is on, if that is shared. */
  readonly lease: WorkerLease | undefined
  /** Its client is closing it. */
  closing = false
  // The live members as last told; objects as JSON.
  #told: unknown[] | undefined

  constructor(session: Session, handle: Handle, object: MediasoupObject, parent?: Entry) {
    this.session = session
    this.handle = handle
    this.object = object
    this.parent = parent
    this.lease = parent?.lease ?? (object instanceof WorkerLease ? object : undefined)
    this.row = rowOf(object)
  }

  get kind() {
    return this.row.kind as ObjectKind
  }

  /** The Worker that it is, or is on. */
  get root(): Entry {
    return this.parent?.root ?? this
  }

  get announced() {
    return this.#told !== undefined
  }

  announce(): Announcement {
    this.#told = []
    const members: Record<string, unknown> = {}
    for (const name of this.row.fixed) members[name] = this.#member(name)
    Object.assign(members, this.changes())
    return { $: this.handle, kind: this.kind, of: this.parent?.handle, appData: this.object.appData, members }
  }

  /** The live members that are not as last told; what is undefined is null on the wire. */
  changes(): Record<string, unknown> | undefined {
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
    return (this.object as unknown as Record<string, unknown>)[name]
  }
}

// mediasoup's classes are named after its interfaces, and ours: RouterImpl, WorkerLease.
function rowOf({ constructor }: MediasoupObject): KindRow {
  const row = kinds.get(constructor.name.replace(/(Impl|Lease)$/, ''))
  if (!row) throw new TypeError(`mediasoup has a kind of object that the model has not: ${constructor.name}`)
  return row
}

// Objects, and their observers, to their entries. Weak: an entry lives as long as its object.
const entries = new WeakMap<object, Entry>()

export const entryOf = (emitter: object) => entries.get(emitter)

/** Listens to an object. The listeners are shared by all objects of a kind, which keeps an object small. */
export function listen(entry: Entry) {
  const { object } = entry
  entries.set(object, entry)
  entries.set(object.observer, entry)
  for (const [event, { on, listener }] of listenersOf(entry.row)) {
    const emitter = on === 'self' ? object : object.observer
    emitter.on(event, listener)
  }
}

type Listener = (this: object, ...args: unknown[]) => void
type Listeners = [event: string, { on: 'self' | 'observer'; listener: Listener }][]

const listeners = new Map<KindRow, Listeners>()

function listenersOf(row: KindRow): Listeners {
  let known = listeners.get(row)
  if (!known) {
    known = [...row.events].flatMap(([event, role]) => listenersFor(row, event, role))
    known.push(['close', { on: 'observer', listener: onClose }])
    listeners.set(row, known)
  }
  return known
}

function listenersFor({ kind }: KindRow, event: string, role: EventRole): Listeners {
  switch (role) {
    case 'self':
    case 'both': return [[event, { on: 'self', listener: kind === 'Worker' ? onSubprocessClose : onEvent(event) }]]
    case 'observer': return [[event, { on: 'observer', listener: onEvent(event) }]]
    case 'media': return [[event, { on: 'self', listener: onMedia(event) }]]
    case 'end': return [[event, { on: 'self', listener: onEnd(event) }]]
    case 'new': return [[event, { on: 'observer', listener: onNew(event) }]]
    case 'local': return []
  }
}

function onEvent(event: string): Listener {
  return function onEvent(this: object, ...args: unknown[]) {
    const entry = entries.get(this)!
    entry.session.onEvent(entry, event, args)
  }
}

function onMedia(event: string): Listener {
  return function onMedia(this: object, packet: unknown) {
    const entry = entries.get(this)!
    entry.session.onMedia(entry, event, packet as Buffer)
  }
}

function onEnd(event: string): Listener {
  return function onEnd(this: object, ...args: unknown[]) {
    const entry = entries.get(this)!
    entry.session.onEnd(entry, event, args)
  }
}

function onNew(event: string): Listener {
  return function onNew(this: object, child: unknown) {
    const entry = entries.get(this)!
    entry.session.onNew(entry, event, child as MediasoupObject)
  }
}

function onClose(this: object) {
  const entry = entries.get(this)!
  entry.session.onClose(entry)
}

function onSubprocessClose(this: object) {
  const entry = entries.get(this)!
  entry.session.onSubprocessClose(entry)
}
