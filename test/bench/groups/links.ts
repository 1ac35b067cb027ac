// What it costs that sessions outlive their connections, and TLS: against the same calls on
// sessions that end with theirs, in the clear.

import { once } from 'node:events'
import { WebSocket } from 'ws'
import { PROTOCOL } from '../../../lib/hello.ts'
import { socketDefaults } from '../../../lib/socket-options.ts'
import { SocketLink, webSocketOptions } from '../../../lib/socket.ts'
import type { Link, Tier } from '../../../lib/tier.ts'
import { authority } from '../../certificates.ts'
import { endAll } from '../../helper.ts'
import { type Echo, startEcho } from '../../kit/echo-client.ts'
import { Durations } from '../../kit/durations.ts'
import { type Group, type Row, inFlight, oneByOne, rounds, row, quick } from '../measure.ts'
import { end, startLeaf } from '../processes.ts'
import { client, remote } from '../../kit/product.ts'
import { openStage } from '../../kit/room.ts'
import { tappedMock } from '../tap.ts'

const ROUNDS = 15
const ROUND_MS = quick ? 50 : 400
const CALLS = quick ? 50 : 1_000
const OPENINGS = quick ? 2 : 20
const IN_FLIGHT = 64

type Stage = Awaited<ReturnType<typeof openStage>>

const CALLED: Record<string, (stage: Stage) => Promise<unknown>> = {
  'DirectTransport.connect': ({ direct }) => direct.connect(),
  'Consumer.getStats': ({ consumer }) => consumer.getStats()
}

const SLOWER = { of: 'ratio', atMost: 1.1 } as const
const FEWER = { of: 'ratio', atLeast: 0.9 } as const

export const links: Group = {
  name: 'links',
  about: `calls on a session that outlives its connections, in the clear (ws) and with TLS (wss), and on one that does not (plain); one at a time, and ${IN_FLIGHT} in flight (p50 and p99 in µs)`,

  async run() {
    const { ca, issue } = await authority()
    const [host, app] = [await issue('host'), await issue('app')]
    const leaves = await Promise.all([
      startLeaf(),
      startLeaf([], undefined, ['--tls-cert', host.cert, '--tls-key', host.key, '--tls-ca', ca])
    ])
    const [clear, secure] = leaves
    const tiers = {
      plain: plain(clear.url),
      ws: remote(clear.url),
      wss: remote(secure.url, { tls: { ca, ...app } })
    }
    const remotes = await Promise.all(Object.values(tiers).map(tier => client(tier)))
    const [bare, kept, encrypted] = (await Promise.all(remotes.map(openStage))) as [
      Stage,
      Stage,
      Stage
    ]

    // What TLS costs by itself.
    const echoes = await Promise.all([startEcho(), startEcho({ tls: { ca, ...host } })])
    const tapped = await tappedMock()
    const tap = await openStage(tapped.mediasoup)

    const rows: Row[] = []
    for (const [what, call] of Object.entries(CALLED)) {
      const exchange = await tapped.exchangeOf(() => call(tap))
      const [echo, secureEcho] = (await Promise.all(
        echoes.map(({ connect }) => connect(exchange))
      )) as [Echo, Echo]
      const latencies = await rounds(ROUNDS, {
        echo: () => oneByOne(new Durations(), CALLS, echo.call),
        secureEcho: () => oneByOne(new Durations(), CALLS, secureEcho.call),
        plain: () => oneByOne(new Durations(), CALLS, () => call(bare)),
        ws: () => oneByOne(new Durations(), CALLS, () => call(kept)),
        wss: () => oneByOne(new Durations(), CALLS, () => call(encrypted))
      })
      const rates = await rounds(ROUNDS, {
        echo: () => inFlight(new Durations(), IN_FLIGHT, ROUND_MS, echo.call),
        secureEcho: () => inFlight(new Durations(), IN_FLIGHT, ROUND_MS, secureEcho.call),
        plain: () => inFlight(new Durations(), IN_FLIGHT, ROUND_MS, () => call(bare)),
        ws: () => inFlight(new Durations(), IN_FLIGHT, ROUND_MS, () => call(kept)),
        wss: () => inFlight(new Durations(), IN_FLIGHT, ROUND_MS, () => call(encrypted))
      })
      const bytes = `${exchange.request.length} B → ${exchange.answer.length} B`
      for (const [unit, { echo, secureEcho, plain, ws, wss }, target] of [
        ['µs', latencies, SLOWER],
        ['calls/s', rates, FEWER]
      ] as const)
        rows.push(
          row({ what: `echo of ${bytes}, plain`, unit, samples: echo }),
          row({ what: `echo of ${bytes}, wss`, unit, samples: secureEcho, to: { plain: echo } }),
          row({ what: `${what}, plain`, unit, samples: plain }),
          row({ what: `${what}, ws`, unit, samples: ws, to: { plain }, target }),
          row({ what: `${what}, wss`, unit, samples: wss, to: { plain }, target }),
          row({ what: `${what}, wss`, unit, samples: wss, to: { ws } })
        )
    }
    const openings = await rounds(ROUNDS, {
      ws: () => oneByOne(new Durations(), OPENINGS, () => openAndClose(tiers.ws)),
      wss: () => oneByOne(new Durations(), OPENINGS, () => openAndClose(tiers.wss))
    })
    rows.push(
      row({ what: 'a session is opened, ws', unit: 'µs', samples: openings.ws }),
      row({
        what: 'a session is opened, wss, certificates on both sides',
        unit: 'µs',
        samples: openings.wss,
        to: { ws: openings.ws }
      })
    )
    tap.worker.close()
    for (const mediasoup of [...remotes, tapped.mediasoup]) mediasoup.close()
    await Promise.all([...leaves.map(({ child }) => end(child)), ...echoes.map(echo => echo.end())])
    await endAll()
    return rows
  }
}

async function openAndClose(tier: Tier) {
  const link = await tier.open()
  link.close()
}

/** A tier at a URL, on which a session is its connection. */
const plain = (url: string): Tier => ({
  async open(): Promise<Link> {
    const socket = new WebSocket(url, PROTOCOL, webSocketOptions)
    // 'open' comes in the same turn as 'upgrade'.
    const [[{ socket: stream }]] = await Promise.all([
      once(socket, 'upgrade'),
      once(socket, 'open')
    ])
    return new SocketLink(socket, stream, socketDefaults)
  },
  close() {}
})
