// A session that outlives its sockets, seen from the client: when one breaks, it dials another.

import { setTimeout as setTimeoutPromise } from 'node:timers/promises'
import pRetry, { AbortError } from 'p-retry'
import { clampDuration } from '../lib/duration.ts'
import { ConnectionError, IncompatibleError, reviveError } from '../lib/errors.ts'
import { type OpenReply, type Opening, newSessionKey } from '../lib/handshake.ts'
import { PROTOCOL } from '../lib/hello.ts'
import { ResumableLink } from '../lib/resumable-link.ts'
import { UNSTATED_MAX_PAYLOAD } from '../lib/socket-options.ts'
import type { Frame, Link, OpenOptions } from '../lib/tier.ts'
import { type Failure, decode, encodeRequest } from '../lib/wire.ts'

export interface ResumeOptions {
  /** How long the tier may take to answer the opening, in ms. */
  timeout: number
  maxBacklog: number
  /** The largest frame that is accepted, in bytes. */
  maxPayload: number
}

// Many clients lose a tier at once: they come back one after another.
const [LEAST_BACKOFF_MS, MOST_BACKOFF_MS] = [50, 5_000]
// So often at least within the time that there is.
const TRIES = 10
const backoff = (ms: number) => ({
  retries: Infinity,
  randomize: true,
  minTimeout: LEAST_BACKOFF_MS,
  maxTimeout: Math.max(LEAST_BACKOFF_MS, Math.min(MOST_BACKOFF_MS, ms / TRIES))
})
const FIRST_TRY_WITHIN_MS = 50

const MAX_QUOTED = 200

/** @param dial opens a connection; it is called again for each that breaks. */
export async function openSession(
  dial: () => Promise<Link>,
  options: ResumeOptions,
  { key = newSessionKey(), resume, budget, entry, realm }: OpenOptions = {}
): Promise<Link> {
  const link = new ResumableLink(options.maxBacklog, budget)
  const { grace, returns } = await carry(
    link,
    await dial(),
    { ...key, received: resume ? null : 0, resume, entry, realm },
    options
  )
  link.on('lost', error => void regain(error))
  return link

  async function regain(lost: Error) {
    const ended = new AbortController()
    const end = () => ended.abort()
    const expiry = setTimeout(
      () =>
        link.end(
          new ConnectionError(`${lost.message}, and not regained within ${grace} ms`, {
            cause: lost
          })
        ),
      grace
    )
    link.once('close', end)
    try {
      await setTimeoutPromise(Math.random() * FIRST_TRY_WITHIN_MS, undefined, {
        signal: ended.signal
      })
      await pRetry(() => redial(lost), { ...backoff(grace), signal: ended.signal })
    } catch (error) {
      link.end(error as Error)
    } finally {
      clearTimeout(expiry)
      link.off('close', end)
    }
  }

  async function redial(lost: Error) {
    try {
      const carrier = await dial()
      if (link.ended) return carrier.close()
      const { received } = link
      await carry(link, carrier, { ...key, received, resume: true, entry, realm }, options)
    } catch (error) {
      // Where nobody listens any more, the sessions have ended with their process.
      if (!returns && isRefused(error as Error)) throw new AbortError(lost as Error)
      throw error instanceof ConnectionError ? error : new AbortError(error as Error)
    }
  }
}

/** Makes a connection the carrier of a session. */
function carry(
  link: ResumableLink,
  carrier: Link,
  opening: Opening,
  { timeout, maxPayload }: ResumeOptions
): Promise<OpenReply> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => fail(new ConnectionError(`the tier did not open the session within ${timeout} ms`)),
      timeout
    )
    carrier.once('frame', onFrame)
    carrier.once('close', fail)
    carrier.send(encodeRequest(0, 'tier.open', [{ ...opening, maxPayload }]))

    // The next frame may follow in the same turn.
    function onFrame(frame: Frame) {
      settle()
      try {
        const opened = openedBy(frame)
        // Closed here meanwhile: so is the session, with this connection.
        if (link.ended) return fail(new ConnectionError('the connection was closed by this client'))
        if (opened.received === null && opening.received !== null) {
          for (const unsent of link.restart()) link.send(unsent)
        }
        link.maxPayload = opened.maxPayload ?? UNSTATED_MAX_PAYLOAD
        link.attach(carrier, opened.received ?? 0)
        resolve(opened)
      } catch (error) {
        fail(error as Error)
      }
    }

    function fail(error: Error = new ConnectionError('the connection was closed by the tier')) {
      settle()
      carrier.close()
      reject(error)
    }

    function settle() {
      clearTimeout(timer)
      carrier.off('frame', onFrame)
      carrier.off('close', fail)
    }
  })
}

function openedBy(frame: Frame): OpenReply {
  const { error, result } = answerIn(frame)
  if (error) throw reviveError(error)
  const { received, grace, returns, maxPayload } = Object(result) as Partial<OpenReply>
  if ((received !== null && typeof received !== 'number') || typeof grace !== 'number')
    throw new IncompatibleError(
      `the tier must speak ${PROTOCOL}: it answered tier.open with ${frame.toString().slice(0, MAX_QUOTED)}`
    )
  return {
    received,
    grace: clampDuration(grace),
    returns,
    maxPayload: typeof maxPayload === 'number' ? maxPayload : undefined
  }
}

function answerIn(frame: Frame): { error?: Failure; result?: unknown } {
  try {
    const message = decode(frame)
    return message.method === undefined ? message : {}
  } catch {
    return {}
  }
}

const isRefused = ({ cause }: Error) =>
  (cause as NodeJS.ErrnoException | undefined)?.code === 'ECONNREFUSED'
