// Ports that transports share by the flag `udpReusePort`: those of one session with each other, and
// with no other session's, because one of them would get the packets of both.

import type { Listening } from './listen-infos.ts'
import { isPort } from './ports.ts'

export class ReusedPorts {
  readonly #sessions = new Map<number, object>()

  /** @throws TypeError when the port is another session's */
  claim(session: object, listening: Listening[]) {
    for (const { info } of listening) {
      if (info.protocol !== 'udp' || !isReused(info.flags)) continue
      const { port } = info
      if (!isPort(port))
        throw new TypeError(
          `the flag udpReusePort takes a port, which transports of the session then share (got ${String(port)})`
        )
      const owner = this.#sessions.get(port)
      if (owner && owner !== session)
        throw new TypeError(
          `port ${port} is another session's: udpReusePort shares a port between transports of one session`
        )
      this.#sessions.set(port, session)
    }
  }

  /** The session has ended, and what it listened on. */
  release(session: object) {
    for (const [port, owner] of this.#sessions) if (owner === session) this.#sessions.delete(port)
  }
}

const isReused = (flags: unknown) =>
  Boolean((Object(flags) as { udpReusePort?: unknown }).udpReusePort)
