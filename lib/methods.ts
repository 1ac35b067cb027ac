// What may be called, and what may be heard, by its name on the wire. Derived from the model; Maps,
// so that no name reaches a prototype.

import { createHash } from 'node:crypto'
import { type Kind, model } from './model.ts'

/** The kinds that have instances, and so handles. */
export type ObjectKind = Exclude<Kind, 'mediasoup'>

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
