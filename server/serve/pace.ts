// Back-pressure between a client and its session on the tier.

import type { Link } from '../../lib/tier.ts'

// When this much waits for a client, it is not asked for more.
const MAX_UNREAD_BYTES = 1024 * 1024

/**
 * A client that does not take its answers, or whose messages the tier cannot take, is not read.
 *
 * @param maxBacklog at which a client is given up
 */
export function pace(client: Link, session: Link, maxBacklog: number) {
  const maxUnread = Math.min(MAX_UNREAD_BYTES, maxBacklog / 2)
  const mustWait = () => client.bufferedAmount > maxUnread || session.bufferedAmount === Infinity
  const goOn = () => {
    if (!mustWait()) client.resume()
  }
  client.on('frame', () => {
    if (mustWait()) client.pause()
  })
  client.on('drain', goOn)
  session.on('drain', goOn)
}
