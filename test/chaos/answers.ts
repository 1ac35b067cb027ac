// A tier whose every call is answered in time, or somebody is told.

import type { Frame, Link, OpenOptions, Tier } from '../../lib/tier.ts'
import { type Id, headerOf } from '../../lib/wire.ts'

interface Asked {
  frame: string
  at: number
  /** For a connection. */
  waits: boolean
}

const CHECK_MS = 1_000

/**
 * @param ms how long an answer may take: longer than all that delays it is there
 * @param onMissing is told of each that has not come then
 */
export function answering(tier: Tier, ms: number, onMissing: (frame: string) => void): Tier {
  return Object.create(tier, {
    open: { value: async (options?: OpenOptions) => watch(await tier.open(options), ms, onMissing) }
  }) as Tier
}

function watch(link: Link, ms: number, onMissing: (frame: string) => void): Link {
  const asked = new Map<Id, Asked>()
  const { send } = link
  let isLost = false
  const sent = (frame: Frame) => {
    const { id } = headerOf(frame) ?? {}
    if (id != null) asked.set(id, { frame: String(frame), at: performance.now(), waits: isLost })
  }
  // What was sent before the connection was lost is not answered any more by a tier that is new.
  const forgotten = () => {
    for (const [id, request] of asked) {
      if (!request.waits) asked.delete(id)
      request.waits = false
    }
  }
  link.on('lost', () => {
    isLost = true
  })
  link.on('regained', () => {
    isLost = false
  })
  link.send = frame => {
    sent(frame)
    send.call(link, frame)
  }
  link.on('frame', frame => {
    const { id, method } = headerOf(frame) ?? {}
    if (id != null && method === undefined) asked.delete(id)
    if (method === 'tier.forgot' && !String(frame).includes('"nodes"')) forgotten()
  })
  const timer = setInterval(() => {
    for (const [id, { frame, at }] of asked) {
      if (performance.now() - at < ms) return
      asked.delete(id)
      onMissing(frame)
    }
  }, CHECK_MS)
  link.once('close', () => clearInterval(timer))
  return link
}
