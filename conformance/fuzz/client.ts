// A client under test, in a process of its own: opens a session at a URL, calls the objects that it
// gets until the session ends, and reports the outcome of its calls.

import type { EventEmitter } from 'node:events'
import { connect } from '../../client/index.ts'
import { kinds } from '../../lib/methods.ts'

export interface Outcome {
  connected: boolean
  calls: number
  /** Calls that had not settled when the session was over. */
  pending: number
  /** What the client complained about. */
  logged: number
}

interface Thing extends EventEmitter {
  readonly observer: EventEmitter
  readonly closed: boolean
  [member: string]: unknown
}

const MAX_CALLS = 300
const MAX_SETTLING_MS = 5_000

process.on('message', async ({ url }: { url?: string }) => {
  if (url) process.send!(await play(url))
})

async function play(url: string): Promise<Outcome> {
  const outcome: Outcome = { connected: false, calls: 0, pending: 0, logged: 0 }
  const mediasoup = await connect(url, { reconnect: false, timeout: 1_000 }).catch(() => undefined)
  if (!mediasoup) return outcome
  const over = new Promise<void>(resolve => mediasoup.connection.once('close', resolve))
  mediasoup.setLogEventListeners({
    onerror: () => {
      outcome.logged++
    }
  })
  mediasoup.observer.on('newworker', worker => use(worker as unknown as Thing))
  for (let i = 0; i < 5; i++) ask(() => mediasoup.createWorker())
  await over
  const deadline = performance.now() + MAX_SETTLING_MS
  while (outcome.pending && performance.now() < deadline)
    await new Promise(resolve => setImmediate(resolve))
  return { ...outcome, connected: true }

  function ask(call: () => unknown) {
    if (outcome.calls++ >= MAX_CALLS) return
    outcome.pending++
    const settle = () => {
      outcome.pending--
    }
    new Promise(resolve => resolve(call())).then(settle, settle)
  }

  function use(thing: Thing) {
    const row = kinds.get(thing.constructor.name.replace(/Impl$/, ''))!
    for (const [event, role] of row.events) if (role === 'new') thing.observer.on(event, use)
    for (const name of [...row.fixed, ...row.live]) void thing[name]
    for (const [member, role] of row.methods) {
      if (role !== 'close')
        ask(() =>
          (thing[member] as (...args: unknown[]) => unknown)(
            member === 'send' ? Buffer.from('bytes') : {}
          )
        )
    }
  }
}
