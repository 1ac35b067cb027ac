// What a token must allow for a method. Derived from the model.

import { type MethodRole, methods } from './methods.ts'

/**
 * - observe: to ask (dump, getStats, tier.locate, …)
 * - create:  to make objects, and to change, use and close them
 * - operate: what is about the tier and not about the session's own objects (tier.load)
 */
export const SCOPES = ['observe', 'create', 'operate'] as const

export type Scope = (typeof SCOPES)[number]

const scopeOfRole: Record<MethodRole, Scope> = {
  query: 'observe',
  call: 'create',
  create: 'create',
  cast: 'create',
  media: 'create',
  close: 'create'
}

// What is not mediasoup's. Undefined: whoever may come in may do it.
const tierScopes: ReadonlyMap<string, Scope | undefined> = new Map<string, Scope | undefined>([
  ['tier.hello', undefined],
  ['tier.log', undefined],
  ['tier.recall', undefined],
  ['tier.locate', 'observe'],
  ['tier.pipeListenInfo', 'observe']
])

const scopes = new Map([...methods].map(([name, { role }]) => [name, scopeOfRole[role]]))

/** The scope that a method needs; undefined when it needs none, or is unknown. */
export function scopeOf(method: string): Scope | undefined {
  const scope = scopes.get(method)
  if (scope || !method.startsWith('tier.')) return scope
  return tierScopes.has(method) ? tierScopes.get(method) : 'operate'
}
