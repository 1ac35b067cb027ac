// One hostile session: each seed makes some frames, and the answers are checked.

import { once } from 'node:events'
import { WebSocket } from 'ws'
import { PROTOCOL } from '../../lib/hello.ts'
import { newSessionKey } from '../../lib/handshake.ts'
import type { Frame } from '../../lib/tier.ts'
import type { Calls } from './calls.ts'
import { framesOf } from './frames.ts'
import { SessionView } from './session-view.ts'
import { Ledger } from './ledger.ts'
import { Random } from './random.ts'

export interface AttackOptions {
  url: string
  calls: Calls
  /** Each makes some frames. */
  seeds: readonly number[]
  /** Handles of another session. */
  foreign: readonly string[]
  /** Whether the session could outlive its connection. */
  resumable: boolean
  /** Is told what is sent. */
  onFrame?(frame: Frame): void
}

// So many steps go out before their answers are waited for; fewer as long as there is little to
// name.
const BATCH = 100
const MAX_ANSWER_MS = 10_000

/** Answers what went wrong, if something did. */
export async function attack({
  url,
  calls,
  seeds,
  foreign,
  resumable,
  onFrame = () => {}
}: AttackOptions): Promise<string | undefined> {
  const known = new SessionView(foreign)
  const ledger = new Ledger()
  const socket = new WebSocket(url, PROTOCOL)
  let problem: string | undefined
  let wake = () => {}
  socket.on('error', () => {}) // `close` tells.
  await once(socket, 'open')
  // Otherwise the first frame could be a malformed opening, which ends the connection.
  const [method, ...params] = resumable
    ? ['tier.open', { ...newSessionKey(), received: 0 }]
    : ['tier.hello']
  socket.send(JSON.stringify({ jsonrpc: '2.0', id: 0, method, params }))
  await once(socket, 'message')
  socket.on('message', (data: Buffer, isBinary) => {
    try {
      if (!isBinary) hear(JSON.parse(data.toString()))
    } catch (error) {
      problem ??= `what came is no message: ${(error as Error).message}`
    }
    wake()
  })
  socket.on('close', (code, reason) => {
    problem ??= `the connection was closed: ${code} ${reason}`
    wake()
  })

  function hear(message: { method?: string; result?: unknown; params?: unknown[] }) {
    ledger.heard(message)
    known.hear(message)
  }

  for (
    let i = 0, size = 1;
    i < seeds.length && !problem;
    i += size, size = Math.min(2 * size, BATCH)
  ) {
    for (const seed of seeds.slice(i, i + size)) {
      for (const frame of framesOf(new Random(seed), known, calls)) {
        ledger.sent(frame)
        onFrame(frame)
        socket.send(frame)
      }
    }
    const deadline = setTimeout(() => {
      problem ??= `these did not come within ${MAX_ANSWER_MS} ms: ${ledger.missing}`
      wake()
    }, MAX_ANSWER_MS)
    while (!ledger.settled && !(problem ??= ledger.problem))
      await new Promise<void>(resolve => {
        wake = resolve
      })
    clearTimeout(deadline)
    problem ??= ledger.problem
  }
  const result = problem
  if (socket.readyState === WebSocket.OPEN) {
    const closed = once(socket, 'close')
    socket.close(1000)
    await closed
  }
  return result
}
