// Malformed openings, openings of another session, and false acknowledgements, each on a connection
// of its own.

import { once } from 'node:events'
import { WebSocket } from 'ws'
import { PROTOCOL } from '../../lib/hello.ts'
import { newSessionKey } from '../../lib/handshake.ts'
import type { Frame } from '../../lib/tier.ts'
import { SessionView } from './session-view.ts'
import { Ledger } from './ledger.ts'
import { MARK, spoil, unmark } from './mutate.ts'
import type { Random } from './random.ts'

const MAX_ANSWER_MS = 10_000

/** Answers what went wrong, if something did. */
export async function knock(
  url: string,
  random: Random,
  onFrame: (frame: Frame) => void
): Promise<string | undefined> {
  const known = new SessionView(['somebody-elses-session'])
  const ledger = new Ledger()
  const socket = new WebSocket(url, PROTOCOL)
  socket.on('error', () => {}) // `close` tells.
  await once(socket, 'open')
  const closed = once(socket, 'close')
  const settled = new Promise<void>(resolve =>
    socket.on('message', (data: Buffer) => {
      ledger.heard(JSON.parse(data.toString()))
      if (ledger.settled) resolve()
    })
  )
  const send = (frame: string) => {
    ledger.sent(frame)
    onFrame(frame)
    socket.send(frame)
  }
  const opening = openingFrom(random, known)
  send(opening)
  const timer = setTimeout(() => socket.terminate(), MAX_ANSWER_MS)
  await Promise.race([settled, closed])
  clearTimeout(timer)
  const isAnswered = ledger.settled
  if (isAnswered) send(acknowledgementFrom(random, known))
  socket.close(1000)
  await closed
  return ledger.problem ?? (isAnswered ? undefined : `this was not answered: ${opening}`)
}

function openingFrom(random: Random, known: SessionView): string {
  const params = [{ ...newSessionKey(), received: 0, ...(random.oneIn(3) && { resume: true }) }]
  const spoilt = random.oneIn(8) ? params : spoil(params, random)
  return unmark(
    JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tier.open', params: spoilt }),
    random,
    known
  )
}

const acknowledgementFrom = (random: Random, known: SessionView) =>
  unmark(
    JSON.stringify({
      jsonrpc: '2.0',
      method: 'tier.ack',
      params: random.oneIn(5) ? [0, MARK] : [MARK]
    }),
    random,
    known
  )
