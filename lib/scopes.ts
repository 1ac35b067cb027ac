// What a token must allow for a method. Derived from the two models.

import { type MethodRole, methods } from './methods.ts'
import { type Scope, isOfTier, tierMethods } from './tier-model.ts'

export { SCOPES, type Scope } from './tier-model.ts'

const scopeOfRole: Record<MethodRole, Scope> = {
  query: 'observe',
  call: 'create',
  create: 'create',
  cast: 'create',
  media: 'create',
  close: 'create'
}

const scopes: ReadonlyMap<string, Scope | undefined> = new Map<string, Scope | undefined>([
  ...[...methods].map(([name, { role }]) => [name, scopeOfRole[role]] as const),
  ...[...tierMethods].map(([name, { sent }]) => [name, sent ? sent.scope : 'operate'] as const)
])

/**
 * The scope that a method needs; undefined when it needs none, or is unknown. One of a later
 * version of the tier may do anything.
 */
export const scopeOf = (method: string): Scope | undefined =>
  scopes.has(method) || !isOfTier(method) ? scopes.get(method) : 'operate'
