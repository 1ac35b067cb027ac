// What may be called, and what may be heard, by its name on the wire. Derived from the model; Maps,
// so that no name reaches a prototype.

import { createHash } from 'node:crypto'
import { type Interface, type Kind, model } from './model.ts'
import type { Handle } from './frame.ts'

/** The kinds that have instances, and so handles. */
export type ObjectKind = Exclude<Kind, 'mediasoup'>

type Members<K extends Kind> = (typeof model)[K]['members']
type Named<K extends Kind, Role> = {
  [N in keyof Members<K>]: Members<K>[N] extends Role ? N : never
}[keyof Members<K>] &
  string

/** Every method that is answered: `Consumer.pause`, `mediasoup.createWorker`, … */
export type Method = { [K in Kind]: `${K}.${Named<K, 'query' | 'call' | 'create'>}` }[Kind]

/** Every method that is not answered: `Producer.send`, `Router.close`, … */
export type Notification = {
  [K in Kind]: `${K}.${Named<K, 'cast' | 'media'> | (K extends 'mediasoup' ? never : 'close')}`
}[Kind]

type Signature<M> = M extends `${infer K extends Kind}.${infer N}`
  ? N extends keyof Interface<K>
    ? Interface<K>[N]
    : never
  : never
type Arguments<M> = Signature<M> extends (...args: infer A) => unknown ? A : never

/**
 * The parameters of a method: the handle of its object (mediasoup itself has none), then
 * mediasoup's own.
 */
export type Params<M extends Method | Notification> = M extends `mediasoup.${string}`
  ? Arguments<M>
  : [Handle, ...Arguments<M>]

/** What a method answers with, as mediasoup declares it. */
export type Result<M extends Method> =
  Signature<M> extends (...args: never[]) => Promise<infer R> ? R : never

export type MethodRole = 'query' | 'call' | 'create' | 'cast' | 'media' | 'close'
export type EventRole = 'self' | 'observer' | 'both' | 'media' | 'new' | 'end' | 'local'

/** One row of the model, as both ends use it. */
export interface KindRow {
  kind: Kind
  fixed: string[]
  live: string[]
  methods: Map<string, MethodRole>
  events: Map<string, EventRole>
}

export interface MethodRow {
  kind: Kind
  member: string
  role: MethodRole
}

const answered: ReadonlySet<string> = new Set(['query', 'call', 'create'])
const callable: ReadonlySet<string> = new Set([...answered, 'cast', 'media'])

function rowOf(kind: Kind): KindRow {
  const members = Object.entries<string>(model[kind].members)
  const named = (role: string) => members.filter(([, r]) => r === role).map(([name]) => name)
  const methods = new Map(
    members.filter(([, role]) => callable.has(role)) as [string, MethodRole][]
  )
  if (kind !== 'mediasoup') methods.set('close', 'close')
  return {
    kind,
    fixed: named('fixed'),
    live: named('live'),
    methods,
    events: new Map(Object.entries<EventRole>(model[kind].events))
  }
}

/** The model, row by row. */
export const kinds: ReadonlyMap<string, KindRow> = new Map(
  (Object.keys(model) as Kind[]).map(kind => [kind, rowOf(kind)])
)

/** Every method by its name on the wire. */
export const methods: ReadonlyMap<string, MethodRow> = new Map(
  [...kinds.values()].flatMap(({ kind, methods }) =>
    [...methods].map(([member, role]) => [`${kind}.${member}`, { kind, member, role }] as const)
  )
)

export const isAnswered = (role: MethodRole) => answered.has(role)

/** Two ends with the same digest agree on every kind, member and event. */
export const digest = createHash('sha256').update(JSON.stringify(model)).digest('hex').slice(0, 16)
