// The objects of a program, by names that are the same on both sides, and their events. Events are
// noted per object, because even plain mediasoup keeps no order between objects.

import type { EventEmitter } from 'node:events'
import { kinds } from '../../lib/methods.ts'
import { Normalizer } from './normalize.ts'
import { type Ref, includes } from './program.ts'

/** The members that all objects of mediasoup have. */
export interface Thing extends EventEmitter {
  readonly id?: string
  readonly closed: boolean
  readonly observer: EventEmitter
  appData: Record<string, unknown>
  [member: string]: unknown
}

/** An object, and where it comes from. */
export interface Subject {
  /** Its place among its siblings: `worker1/router2/webrtc1`. */
  name: string
  kind: string
  thing: Thing
  parent?: Subject
  /** It is one end of a pipe that pipeToRouter() made. */
  piped?: boolean
}

/** The notes since the last call, by object. */
export type Streams = Record<string, unknown[]>

export class World {
  readonly subjects: Subject[] = []
  readonly normalizer: Normalizer
  /** The number of notes. */
  count = 0
  /** Names of events of all objects in their order, within one call. */
  cascade: string[] = []
  /** Pairs of Routers between which no pipe can be made any more. */
  readonly broken = new Set<string>()
  #streams: Streams = {}
  readonly #told = new Map<string, string>()
  readonly #siblings = new Map<string, number>()
  readonly #byThing = new Map<object, Subject>()
  readonly #deaf: (() => void)[] = []

  constructor() {
    this.normalizer = new Normalizer(thing => this.#byThing.get(thing)?.name)
  }

  /** Adds an object, and later its children. */
  add(thing: Thing, parent?: Subject): Subject {
    const kind = thing.constructor.name.replace(/Impl$/, '')
    const name = `${parent ? `${parent.name}/` : ''}${this.#nextName(parent, kind)}`
    const subject = { name, kind, thing, parent }
    this.subjects.push(subject)
    this.#byThing.set(thing, subject)
    if (thing.id) this.normalizer.nameId(thing.id, name)
    this.#listen(subject)
    this.note(subject, ['new', this.membersOf(subject, 'fixed'), { appData: thing.appData }])
    return subject
  }

  #nextName(parent: Subject | undefined, kind: string): string {
    const word = kind.toLowerCase().replace(/transport$/, '')
    const key = `${parent?.name}/${word}`
    const number = (this.#siblings.get(key) ?? 0) + 1
    this.#siblings.set(key, number)
    return `${word}${number}`
  }

  #listen(subject: Subject) {
    const { thing, kind } = subject
    for (const [event, role] of [...kinds.get(kind)!.events, ['close', 'observer'] as const]) {
      this.#on(thing, event, args => this.#heard(subject, event, args))
      this.#on(thing.observer, event, args => {
        if (role === 'new') this.add(args[0] as Thing, subject)
        this.#heard(subject, `observer ${event}`, args)
      })
    }
  }

  #on(emitter: EventEmitter, event: string, heard: (args: unknown[]) => void) {
    const listener = (...args: unknown[]) => heard(args)
    emitter.on(event, listener)
    this.#deaf.push(() => emitter.off(event, listener))
  }

  // With the state of the object at that moment. An SCTP association is made over the network, in
  // its own time.
  #heard(subject: Subject, event: string, args: unknown[]) {
    if (event.endsWith('sctpstatechange')) return this.note(subject, [event, args], ' (SCTP)')
    if (event.endsWith('trace') && tellsTheTime(args[0] as { type: string })) return
    this.cascade.push(`${subject.name} ${event}`)
    const {
      sctpState: _state,
      sctpNegotiatedCapabilities: _capabilities,
      ...members
    } = this.membersOf(subject, 'live')
    this.note(subject, [event, args, { closed: subject.thing.closed, ...members }])
  }

  note({ name }: Subject, what: unknown, stream = '') {
    this.count++
    ;(this.#streams[name + stream] ??= []).push(this.normalizer.normalize(what))
  }

  takeStreams(): Streams {
    const streams = this.#streams
    this.#streams = {}
    return streams
  }

  /** The state of objects, where it has changed. */
  takeChanges(): Record<string, unknown> {
    const changes: Record<string, unknown> = {}
    for (const subject of this.subjects) {
      const {
        name,
        thing: { closed, appData }
      } = subject
      const members = this.normalizer.normalize({
        closed,
        ...this.membersOf(subject, 'live'),
        appData
      })
      const told = JSON.stringify(members)
      if (told === this.#told.get(name)) continue
      this.#told.set(name, told)
      changes[name] = members
    }
    return changes
  }

  membersOf({ kind, thing }: Subject, role: 'fixed' | 'live'): Record<string, unknown> {
    return Object.fromEntries(kinds.get(kind)![role].map(name => [name, thing[name]]))
  }

  /** Resolves a reference to an object. */
  find({ ref, pick, closed = false, near }: Ref, from?: Subject): Subject | undefined {
    const scope = from && near && ancestor(from, near)
    const candidates = this.subjects.filter(
      subject =>
        includes(ref, subject.kind) &&
        subject.thing.closed === closed &&
        (!scope || ancestor(subject, near!) === scope)
    )
    // Two ends of a pipe are made at the same time, in any order.
    return candidates.toSorted(byName)[pick % candidates.length]
  }

  subjectOf(thing: unknown): Subject | undefined {
    return this.#byThing.get(thing as object)
  }

  /** Stops listening. */
  leave() {
    for (const stop of this.#deaf) stop()
  }
}

const byName = (one: Subject, other: Subject) => (one.name < other.name ? -1 : 1)

// Emitted by timers, also for trace types that do not exist.
const tellsTheTime = ({ type }: { type: string }) => type === 'probation' || type === 'bwe'

export function ancestor(subject: Subject | undefined, kind: string): Subject | undefined {
  return !subject || subject.kind === kind ? subject : ancestor(subject.parent, kind)
}
