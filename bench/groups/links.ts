// What it costs that sessions outlive their connections: against the same leaf, on sessions that end with theirs.

import { WebSocket } from 'ws'
import { once } from 'node:events'
import { PROTOCOL } from '../../lib/hello.ts'
import { socketDefaults } from '../../lib/socket-options.ts'
import { SocketLink, webSocketOptions } from '../../lib/socket.ts'
import type { Link, Tier } from '../../lib/tier.ts'
import { Durations } from '../histogram.ts'
import { type Group, type Row, inFlight, oneByOne, rounds, row } from '../measure.ts'
import { end, startLeaf } from '../processes.ts'
import { client, connect } from '../product.ts'
import { openStage } from '../room.ts'

const ROUNDS = 15
const ROUND_MS = 400
const CALLS = 1_000
const IN_FLIGHT = 64

export const links: Group = {
  name: 'links',
  about: `calls on a session that outlives its connections, and on one that does not; one at a time, and ${IN_FLIGHT} in flight (p50 and p99 in µs)`,

  async run() {
    const { child, url } = await startLeaf()
    const remotes = [await connect(url), await client(plain(url))] as const
    const [kept, bare] = [await openStage(remotes[0]), await openStage(remotes[1])]
    const rows: Row[] = []
    for (const [what, call] of [
      ['DirectTransport.connect', ({ direct }: typeof kept) => direct.connect()],
      ['Consumer.getStats', ({ consumer }: typeof kept) => consumer.getStats()]
    ] as const) {
      const latencies = await rounds(ROUNDS, {
        bare: () => oneByOne(new Durations(), CALLS, () => call(bare)),
        kept: () => oneByOne(new Durations(), CALLS, () => call(kept))
      })
      const rates = await rounds(ROUNDS, {
        bare: () => inFlight(new Durations(), IN_FLIGHT, ROUND_MS, () => call(bare)),
        kept: () => inFlight(new Durations(), IN_FLIGHT, ROUND_MS, () => call(kept))
      })
      rows.push(
        row({ what: `${what}, ends with its connection`, unit: 'µs', samples: latencies.bare }),
        row({ what: `${what}, outlives it`, unit: 'µs', samples: latencies.kept, to: { 'ends with it': latencies.bare }, target: { of: 'ratio', atMost: 1.1 } }),
        row({ what: `${what}, ends with its connection`, unit: 'calls/s', samples: rates.bare }),
        row({ what: `${what}, outlives it`, unit: 'calls/s', samples: rates.kept, to: { 'ends with it': rates.bare }, target: { of: 'ratio', atLeast: 0.9 } })
      )
    }
    for (const remote of remotes) remote.close()
    await end(child)
    return rows
  }
}

/** A tier at a URL, on which a session is its connection. */
const plain = (url: string): Tier => ({
  async open(): Promise<Link> {
    const socket = new WebSocket(url, PROTOCOL, webSocketOptions)
    // 'open' comes in the same turn as 'upgrade'.
    const [[{ socket: stream }]] = await Promise.all([once(socket, 'upgrade'), once(socket, 'open')])
    return new SocketLink(socket, stream, socketDefaults)
  }
})
