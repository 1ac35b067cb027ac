// The base of all objects of mediasoup on the client: getters, observer, appData, events, and a
// close() that is done, with its whole cascade, when it returns.

import { type InspectOptions, inspect } from 'node:util'
import type { Found } from '../lib/borrow.ts'
import type { Announcement } from '../lib/codec.ts'
import { EnhancedEventEmitter, errors } from '../lib/mediasoup.ts'
import type { KindRow, MethodRole } from '../lib/methods.ts'
import type { Handle } from '../lib/wire.ts'
import type { Logger } from './logger.ts'

type Events = Record<string, unknown[]>

/** What an object needs of the session that it belongs to. */
export interface ObjectSession {
  readonly logger: Logger
  /** Producers of other sessions, by their ids. */
  readonly found: Pick<Map<string, Found>, 'get'>
  /** Calls a method of an object on its host. */
  call(target: Entity, member: string, args: unknown[]): Promise<unknown>
  /** Tells the host something that is not answered. */
  notify(method: string, params: unknown[], role?: MethodRole): void
  forget(entity: Entity): void
}

export class Entity extends EnhancedEventEmitter<Events> {
  /**
   * The row of the model, on the prototype. (`kind` of a Producer is mediasoup's word for media.)
   */
  declare readonly row: KindRow
  readonly session: ObjectSession
  readonly handle: Handle
  readonly parent: Entity | undefined
  readonly observer = new EnhancedEventEmitter<Events>()
  appData: Record<string, unknown>
  /** Stands on the host for the appData that the caller gave; see session.ts. */
  token: number | undefined
  /** The token of its appData: its own, or that of the object that it is piped from. */
  appDataToken: number | undefined
  /** Fixed and live members, as of the last message. */
  protected readonly members: Record<string, unknown>
  // By the event that announced them. A parent closes them in the order of this map.
  readonly #children: Map<string, Set<Entity>>
  #pipePeer: Entity | undefined
  #closed = false

  constructor(
    session: ObjectSession,
    { $, members }: Announcement,
    parent: Entity | undefined,
    appData: Record<string, unknown>
  ) {
    super()
    this.session = session
    this.handle = $
    this.parent = parent
    this.appData = appData
    this.members = {}
    this.update(members)
    this.#children = childrenOf(this.row)
    this.on('listenererror', onListenerError)
  }

  get closed() {
    return this.#closed
  }

  /** The reference to the object in the arguments of a call. */
  toJSON() {
    return { $: this.handle }
  }

  [inspect.custom](_depth: number, options: InspectOptions) {
    const { closed, members, appData } = this
    return `${this.constructor.name} ${inspect({ closed, ...members, appData }, options)}`
  }

  /** Closes the object and everything that was created on it, here and on its host. */
  close() {
    if (this.#closed) return
    this.session.logger.debug(this.row.kind, 'close()')
    this.session.notify(`${this.row.kind}.close`, [this.handle])
    this.end()
  }

  get root(): Entity {
    return this.parent?.root ?? this
  }

  /** Closes it on this end. `because` is the event that says why: its own, or its parent's. */
  end(because?: string, ...args: unknown[]) {
    if (this.#closed) return
    this.#closed = true
    this.session.forget(this)
    this.freezeStates()
    for (const children of this.#children.values()) {
      for (const child of children) child.end(`${this.eventPrefix}close`)
      children.clear()
    }
    if (!this.parent?.closed) this.parent?.removeChild(this)
    this.detached(because)
    if (because) this.emitEnd(because, args)
    this.observer.safeEmit('close')
    this.#pipePeer?.end()
  }

  /** Makes the other end of a pipe close with this one. */
  linkPeer(peer: Entity) {
    this.#pipePeer = peer
    peer.#pipePeer = this
  }

  /** How events of its children name this object: the `router` of `routerclose`. */
  get eventPrefix() {
    return this.row.kind.toLowerCase()
  }

  /** Adds a child that was announced, and lets the observer say so. */
  addChild(child: Entity, event: string) {
    this.#children.get(event)?.add(child)
    child.attached()
    this.observer.safeEmit(event, child)
  }

  protected children(event: string): Iterable<Entity> {
    return this.#children.get(event) ?? []
  }

  removeChild(child: Entity) {
    for (const children of this.#children.values()) children.delete(child)
  }

  /** Takes live members from a message about the object; null stands for undefined. */
  update(members: Record<string, unknown>) {
    for (const name of Object.keys(members)) this.members[name] = members[name] ?? undefined
  }

  /** The names of the members that differ from those of the last message. */
  differences(members: Record<string, unknown>): string[] {
    return Object.keys(members).filter(
      name => JSON.stringify(members[name] ?? undefined) !== JSON.stringify(this.members[name])
    )
  }

  receive(event: string, args: unknown[]) {
    switch (this.row.events.get(event)) {
      case 'self':
      case 'media':
        return void this.safeEmit(event, ...args)
      case 'observer':
        return void this.observer.safeEmit(event, ...args)
      case 'end':
        return this.end(event, ...args)
      case 'both':
        this.safeEmit(event, ...args)
        this.observer.safeEmit(event, ...args)
        return
    }
    if (event === 'close') this.end()
    // Only a vertical tier sends it: the part of the Router that carried the object is gone.
    else if (event === 'routerclose') this.end(event)
  }

  /** Calls the object on its host, also when it is closed: the error is then mediasoup's own. */
  call(member: string, args: unknown[]): Promise<unknown> {
    this.session.logger.debug(this.row.kind, `${member}()`)
    return this.session.call(this, member, args)
  }

  /** Like call(), for methods without an answer. */
  cast(member: string, args: unknown[]) {
    if (this.root.closed) {
      const event = `${this.eventPrefix}_${member.replace(/[A-Z]/g, '_$&')}`.toUpperCase()
      throw new errors.WorkerClosedError(
        `Channel closed, cannot send notification [event:${event}]`
      )
    }
    if (!this.#closed)
      this.session.notify(
        `${this.row.kind}.${member}`,
        [this.handle, ...args],
        this.row.methods.get(member)
      )
  }

  // Hooks for kinds that do more; see objects.ts.
  protected attached() {}
  protected detached(_because?: string) {}
  protected freezeStates() {}
  protected emitEnd(event: string, args: unknown[]) {
    this.safeEmit(event, ...args)
  }
}

const CHILDLESS: Map<string, Set<Entity>> = new Map()

function childrenOf({ events }: KindRow): Map<string, Set<Entity>> {
  const born = [...events].filter(([, role]) => role === 'new')
  return born.length ? new Map(born.map(([event]) => [event, new Set()])) : CHILDLESS
}

function onListenerError(this: Entity, eventName: unknown, error: unknown) {
  this.session.logger.error(
    this.row.kind,
    `event listener threw an error [eventName:${eventName}]:`,
    error as Error
  )
}
