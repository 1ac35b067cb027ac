// What differs between the hosts that were there and those that are.

import type { Host, HostChange } from '../host.ts'

/** A host as text: alike for hosts that say the same, in whatever order. */
export const canonical = (host: Host): string =>
  JSON.stringify(host, (_key, value: unknown) =>
    isRecord(value)
      ? Object.fromEntries(
          Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1))
        )
      : value
  )

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export function changesBetween(
  before: ReadonlyMap<string, Host>,
  now: ReadonlyMap<string, Host>
): HostChange[] {
  const gone = [...before.keys()].filter(id => !now.has(id)).map(id => ({ gone: id }))
  const there = [...now.values()].filter(host => {
    const known = before.get(host.id)
    return !known || canonical(known) !== canonical(host)
  })
  return [...gone, ...there.map(host => ({ host }))]
}
