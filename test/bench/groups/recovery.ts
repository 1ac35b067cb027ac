// How long it takes until sessions are back on a connection: one whose connection was cut, or is
// open and dead, and a thousand that were cut at once. The leaf is without media; the WebSockets,
// the sessions and the relay that cuts are real, in two processes.

import { setTimeout as setTimeoutPromise } from 'node:timers/promises'
import { type Relay, startRelay } from '../../../conformance/relay.ts'
import { socketDefaults } from '../../../lib/socket-options.ts'
import { Durations } from '../../kit/durations.ts'
import { type Group, type Sample, quick, rounds, row } from '../measure.ts'
import { ask, end, startScript } from '../processes.ts'
import { connect } from '../../kit/product.ts'

const ROUNDS = 15
const SESSIONS = quick ? 50 : 1_000
const STORMS = 5
const SILENCE_MS = quick ? 300 : 1_000
const OUTAGE_MS = quick ? 100 : 2_000
const CONNECTING = 50

export const recovery: Group = {
  name: 'recovery',
  about: `from the loss of connections until sessions have another one, and an answer to a call; ${SESSIONS} at once (p50 and p99 of a session in µs)`,

  async run() {
    const host = startScript('bench/fake-leaves', ['1'])
    const [url] = await ask<string[]>(host)
    let isDown = false
    const relay = await startRelay(url!, { lifetime: () => (isDown ? 0 : undefined) })
    const cut = () => relay.breakAll()

    const [watchful] = await open(relay, 1, SILENCE_MS)
    const single = await rounds(ROUNDS, { cut: () => recover([watchful!], cut) })
    const hung = await rounds(
      quick ? 1 : 5,
      { dead: () => recover([watchful!], () => relay.hang()) },
      { warmUp: 0 }
    )
    watchful!.mediasoup.close()
    const many = await open(relay, SESSIONS)
    const storms = await rounds(STORMS, { cut: () => recover(many, cut) }, { warmUp: 1 })
    const outages = await rounds(
      STORMS,
      {
        over: () =>
          recover(many, async () => {
            isDown = true
            cut()
            await setTimeoutPromise(OUTAGE_MS)
            isDown = false
          })
      },
      { warmUp: 0 }
    )
    for (const { mediasoup } of many) mediasoup.close()
    await relay.close()
    await end(host)

    const unit = 'ms'
    return [
      row({ what: 'a connection is cut', unit, samples: single.cut }),
      row({
        what: `a connection is open and dead, with a silence of ${SILENCE_MS} ms`,
        unit,
        samples: hung.dead
      }),
      row({ what: `${SESSIONS} are cut at once: the last one`, unit, samples: storms.cut }),
      row({
        what: `${SESSIONS} after ${OUTAGE_MS} ms in which each new connection was cut: the last one`,
        unit,
        samples: outages.over
      })
    ]
  }
}

type Session = Awaited<ReturnType<typeof openOne>>

async function openOne(url: string, silence: number) {
  const mediasoup = await connect(url, { silence })
  return { mediasoup, worker: await mediasoup.createWorker() }
}

async function open(
  { url }: Relay,
  count: number,
  silence: number = socketDefaults.silence
): Promise<Session[]> {
  const sessions: Session[] = []
  while (sessions.length < count) {
    sessions.push(
      ...(await Promise.all(
        Array.from({ length: Math.min(CONNECTING, count - sessions.length) }, () =>
          openOne(url, silence)
        )
      ))
    )
  }
  return sessions
}

/** What counts is the last of them, from when new connections are possible again. */
async function recover(sessions: Session[], lose: () => void | Promise<void>): Promise<Sample> {
  const durations = new Durations()
  let start = performance.now()
  const back = Promise.all(
    sessions.map(async ({ mediasoup: { connection }, worker }) => {
      await new Promise<void>(resolve => connection.once('regained', () => resolve()))
      await worker.getResourceUsage()
      durations.add(performance.now() - start)
    })
  )
  const losing = lose()
  if (losing) {
    await losing
    start = performance.now()
  }
  await back
  const { p50, p99 } = durations.stop()
  return { value: performance.now() - start, p50, p99 }
}
