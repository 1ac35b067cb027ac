// Who is told by HTTP: one attempt, and what its answer means.

import { signedHeaders } from './secrets.ts'

export interface Receiver {
  url: string
  secrets(): readonly Buffer[]
  /** For an attempt, in ms. */
  timeout: number
}

/** An event was not taken. */
export class NotTaken extends Error {
  override name = 'NotTaken'
  /** It never will be. */
  readonly isFinal: boolean
  /** How long the receiver wants to be left alone, in ms. */
  readonly pause: number

  constructor(message: string, { isFinal = false, pause = 0, cause = undefined as unknown } = {}) {
    super(message, { cause })
    this.isFinal = isFinal
    this.pause = pause
  }
}

const GONE = 410
// A receiver may not put off what it is told for longer than this at a time.
const MAX_PAUSE_MS = 3_600_000

/** @throws TypeError */
export function checkReceiver(url: string): URL {
  const parsed = URL.parse(url)
  if (parsed?.protocol !== 'http:' && parsed?.protocol !== 'https:')
    throw new TypeError(`a webhook must be an http:// or https:// URL (got ${url})`)
  if (parsed.username || parsed.password)
    throw new TypeError('a webhook has no user and password in its URL: events are signed')
  return parsed
}

/**
 * Tells an event. The receiver has taken it when it answers 2xx in time.
 *
 * @throws NotTaken
 */
export async function attempt(id: string, body: string, receiver: Receiver) {
  const { url, secrets, timeout } = receiver
  let response: Response
  try {
    response = await fetch(url, {
      method: 'POST',
      redirect: 'manual',
      headers: {
        'content-type': 'application/cloudevents+json; charset=utf-8',
        'user-agent': 'mafalda',
        ...signedHeaders(id, body, secrets())
      },
      body,
      signal: AbortSignal.timeout(timeout)
    })
  } catch (error) {
    throw new NotTaken(reasonOf(error as Error, timeout), { cause: error })
  }
  // Its end may never come. What it says is not read.
  void response.body?.cancel().catch(() => {})
  if (response.ok) return
  const { status, headers } = response
  const pause = pauseIn(headers.get('retry-after'))
  throw new NotTaken(`the receiver answered ${status}`, { isFinal: status === GONE, pause })
}

function reasonOf({ name, message, cause }: Error, timeout: number): string {
  if (name === 'TimeoutError') return `the receiver did not answer within ${timeout} ms`
  return cause instanceof Error && cause.message ? cause.message : message
}

/** In ms, of seconds or a date. */
function pauseIn(header: string | null): number {
  if (header === null) return 0
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now()
  return Math.min(Math.max(ms || 0, 0), MAX_PAUSE_MS)
}
