// What differs between the hosts that were there and those that are.

import type { Host, HostChange } from '../host.ts'

/** A host as text: alike for hosts that say the same. */
export const canonical = ({ id, url, labels }: Host): string =>
  JSON.stringify({
    id,
    url,
    labels: labels && Object.fromEntries(Object.entries(labels).toSorted(byName))
  })

const byName = ([one]: [string, string], [other]: [string, string]) => (one < other ? -1 : 1)

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
