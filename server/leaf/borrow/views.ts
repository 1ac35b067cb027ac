// What a session sees in the dumps of its objects: nothing that others have on its Routers, and the
// ids that it knows.

import type { ServedObject } from '../served-object.ts'

type Entry = { key: string; value?: string; values?: string[] }

/** A dump without what other sessions have on a Router, or on the Routers of a Worker. */
export function withoutHidden<D extends object>(
  dump: D,
  { kind, handle }: ServedObject,
  all: Iterable<ServedObject>
): D {
  if (kind !== 'Router' && kind !== 'Worker') return dump
  const hidden = new Set<string>()
  for (const entry of all) {
    if (entry.kind !== 'Router' || !entry.hidden?.size) continue
    if (entry.handle === handle || entry.parent?.handle === handle)
      for (const id of entry.hidden) hidden.add(id)
  }
  return hidden.size ? (without(dump, hidden) as D) : dump
}

function without(value: unknown, hidden: ReadonlySet<string>): unknown {
  if (Array.isArray(value))
    return value.filter(item => !isHidden(item, hidden)).map(item => without(item, hidden))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, without(member, hidden)])
  )
}

const isHidden = (item: unknown, hidden: ReadonlySet<string>) =>
  hidden.has(typeof item === 'string' ? item : (Object(item) as Partial<Entry>).key!)

/** A dump with the ids of a session in place of those that mediasoup knows. */
export function renamed<D>(dump: D, names: ReadonlyMap<string, string>): D {
  if (!names.size) return dump
  return JSON.parse(JSON.stringify(dump), (_key, value: unknown) =>
    typeof value === 'string' ? (names.get(value) ?? value) : value
  ) as D
}
