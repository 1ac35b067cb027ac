// Which two PipeTransports are the ends of one pipe: what is here for the one is there for the
// other.

import type { SurveyedTransport } from './survey.ts'

type End = Pick<SurveyedTransport, 'id' | 'local' | 'remote'>

/** The id of the other end of each. Those for which there are several are left out. */
export function matchPipes(ends: Iterable<End>): Map<string, string> {
  const byAddresses = new Map<string, string | undefined>()
  const connected = [...ends].filter(({ local, remote }) => local && remote)
  for (const { id, local, remote } of connected) {
    const key = `${local} ${remote}`
    byAddresses.set(key, byAddresses.has(key) ? undefined : id)
  }
  const peers = new Map<string, string>()
  for (const { id, local, remote } of connected) {
    const peer = byAddresses.get(`${remote} ${local}`)
    if (peer !== undefined && byAddresses.get(`${local} ${remote}`) !== undefined)
      peers.set(id, peer)
  }
  return peers
}
