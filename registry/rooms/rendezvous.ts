// On which host a room goes while the store is away: all registries that know the same hosts agree
// without a word (rendezvous hashing).

import { createHash } from 'node:crypto'

/** Of the ids of hosts, the one for a room; undefined when there are none. */
export function rendezvous(room: string, hosts: Iterable<string>): string | undefined {
  let [chosen, best]: [string | undefined, string] = [undefined, '']
  for (const host of hosts) {
    const rank = createHash('sha256').update(`${host}\n${room}`).digest('hex')
    if (rank > best) [chosen, best] = [host, rank]
  }
  return chosen
}
