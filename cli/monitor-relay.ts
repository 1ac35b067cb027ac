// One browser's connection to the tier: what the page may ask, and all that the tier answers.

import type { WebSocket } from 'ws'
import type { Tier } from '../lib/tier.ts'

// Who reaches the page can do nothing else with the operator's token.
const ALLOWED = new Set([
  'tier.hello',
  'tier.survey',
  'tier.load',
  'tier.sessions',
  'tier.kick',
  'tier.drain'
])
// Of the WebSocket: the tier cannot be reached now, try again.
const TRY_AGAIN = 1013
const POLICY = 1008
// The page is told again what it has missed.
const MAX_BACKLOG = 16 * 1024 * 1024
const MAX_REASON = 120
// Until the tier can be reached.
const MAX_EARLY = 64

export async function relay(browser: WebSocket, tier: Tier) {
  const early: string[] = []
  let send: (text: string) => void = text => early.push(text)
  browser.on('error', () => {}) // 'close' follows.
  browser.on('message', (data, isBinary) => {
    const text = isBinary || early.length > MAX_EARLY ? undefined : allowed(String(data))
    if (text === undefined) browser.close(POLICY, `the page calls only ${[...ALLOWED].join(', ')}`)
    else send(text)
  })
  try {
    const link = await tier.open()
    const leave = (error?: Error) =>
      browser.close(
        TRY_AGAIN,
        (error?.message ?? 'the tier closed the session').slice(0, MAX_REASON)
      )
    link.once('close', leave)
    // The page says so, and asks again, instead of showing what was.
    link.once('lost', leave)
    link.on('frame', frame => {
      if (browser.bufferedAmount > MAX_BACKLOG) browser.terminate()
      else browser.send(frame)
    })
    if (browser.readyState !== browser.OPEN) return link.close()
    browser.once('close', () => link.close())
    send = text => link.send(text)
    for (const text of early) send(text)
  } catch (error) {
    browser.close(TRY_AGAIN, (error as Error).message.slice(0, MAX_REASON))
  }
}

/** A message with a method that is allowed, written again: what was checked is what is sent. */
function allowed(text: string): string | undefined {
  try {
    const { id, method, params } = Object(JSON.parse(text)) as Record<string, unknown>
    if (!ALLOWED.has(method as string)) return undefined
    return JSON.stringify({ jsonrpc: '2.0', id, method, params })
  } catch {
    return undefined
  }
}
