// Asks Workers for the statistics of what somebody looks at, one after the other: a fixed number of
// calls a second, however much there is and whoever looks.

import type * as ms from 'mediasoup/types'
import type { Handle } from '../../lib/frame.ts'
import { isSame } from '../../lib/survey-changes.ts'
import type { ServedObject } from './served-object.ts'
import type { Sampled } from './surveyed.ts'

const TURN_MS = 100
const CALLS_PER_TURN = 5
// Nothing is asked more often.
const ROUND_MS = 1_000
// Of a Worker that does not answer.
const MAX_ASKED = 20

type Stats = Record<string, unknown>

export class StatSampler {
  readonly #known = new Map<Handle, Sampled>()
  readonly #asked = new WeakMap<ServedObject, number>()
  readonly #wanted: () => Iterable<ServedObject>
  #round: ServedObject[] = []
  #beganAt = -Infinity
  #timer: NodeJS.Timeout | undefined

  /** @param wanted what somebody looks at */
  constructor(wanted: () => Iterable<ServedObject>) {
    this.#wanted = wanted
  }

  start() {
    this.#timer ??= setInterval(() => this.#turn(), TURN_MS).unref()
  }

  stop() {
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#round = []
    this.#known.clear()
  }

  /** What was answered last. */
  of(handle: Handle): Sampled | undefined {
    return this.#known.get(handle)
  }

  #turn() {
    if (!this.#round.length) this.#begin()
    for (let calls = 0; calls < CALLS_PER_TURN && this.#round.length; ) {
      const object = this.#round.pop()!
      if ((this.#asked.get(object.root) ?? 0) >= MAX_ASKED) continue
      void this.#ask(object)
      calls++
    }
  }

  #begin() {
    const now = performance.now()
    if (now - this.#beganAt < ROUND_MS) return
    this.#beganAt = now
    this.#round = [...this.#wanted()]
    const wanted = new Set(this.#round.map(({ handle }) => handle))
    for (const handle of this.#known.keys()) if (!wanted.has(handle)) this.#known.delete(handle)
  }

  async #ask({ handle, kind, object, root }: ServedObject) {
    this.#count(root, 1)
    try {
      const stats = await (object as unknown as { getStats(): Promise<Stats[]> }).getStats()
      const [sampled, known] = [sampledOf(kind, stats), this.#known.get(handle)]
      if (this.#timer && !(known && isSame(known, sampled))) this.#known.set(handle, sampled)
    } catch {
      // It was closed in the meantime.
    } finally {
      this.#count(root, -1)
    }
  }

  #count(root: ServedObject, by: 1 | -1) {
    this.#asked.set(root, (this.#asked.get(root) ?? 0) + by)
  }
}

export const hasStats = (kind: string) =>
  kind === 'Producer' || kind === 'Consumer' || kind.endsWith('Transport')

function sampledOf(kind: string, stats: readonly Stats[]): Sampled {
  if (kind === 'Producer')
    return { bitrateIn: sum(stats, 'bitrate'), bitrateOut: 0, ...lost(stats) }
  if (kind !== 'Consumer') {
    const [{ recvBitrate, sendBitrate }] = stats as [ms.WebRtcTransportStat]
    return { bitrateIn: recvBitrate, bitrateOut: sendBitrate }
  }
  // Beside what is sent, there is what comes from the Producer.
  const sent = stats.filter(({ type }) => type === 'outbound-rtp')
  const keyFrameRequests = sum(sent, 'pliCount') + sum(sent, 'firCount')
  return { bitrateIn: 0, bitrateOut: sum(sent, 'bitrate'), ...lost(sent), keyFrameRequests }
}

const lost = (stats: readonly Stats[]) => ({ packetsLost: sum(stats, 'packetsLost') })

const sum = (stats: readonly Stats[], name: string) =>
  stats.reduce((total, { [name]: value }) => total + (typeof value === 'number' ? value : 0), 0)
