// What an operator should look at, and why.

import type { SurveyEntry } from '../lib/survey.ts'
import { bits, count, ms, percent } from './format.ts'

export interface Warning {
  id: string
  severity: 'lost' | 'bad'
  text: string
  /** ms since 1970, by the clock of the tier */
  since: number
}

const WATERMARK = 0.6
const MIN_SCORE = 5
const MAX_DELAY_MS = 200
/** How long it has to be so. */
const PATIENCE_MS = 10_000

interface Complaint {
  severity: Warning['severity']
  text: string
  /** It is said at once. */
  atOnce?: boolean
}

export class Warnings {
  readonly #since = new Map<string, { at: number; complaint: Complaint }>()
  readonly #lost = new Map<string, { packets: number; at: number }>()

  look(at: number, changed: Iterable<SurveyEntry>, gone: Iterable<string>) {
    for (const id of gone) this.#forget(id)
    for (const entry of changed) {
      const complaint = complaintOf(entry) ?? this.#lossOf(at, entry)
      const before = this.#since.get(entry.id)
      if (!complaint) this.#since.delete(entry.id)
      else this.#since.set(entry.id, { at: before?.at ?? at, complaint })
    }
  }

  list(now: number): Warning[] {
    const warnings: Warning[] = []
    for (const [id, { at, complaint }] of this.#since) {
      const { severity, text, atOnce } = complaint
      if (atOnce || now - at >= PATIENCE_MS) warnings.push({ id, severity, text, since: at })
    }
    const rank = ({ severity }: Warning) => (severity === 'lost' ? 0 : 1)
    return warnings.sort((one, other) => rank(one) - rank(other) || one.since - other.since)
  }

  #forget(id: string) {
    this.#since.delete(id)
    this.#lost.delete(id)
  }

  /** Of pipes: packets that were lost lately. Clients' own networks are not the operator's. */
  #lossOf(at: number, entry: SurveyEntry): Complaint | undefined {
    if (entry.kind !== 'PipeTransport' || entry.packetsLost === undefined) return undefined
    const before = this.#lost.get(entry.id)
    if (!before) {
      this.#lost.set(entry.id, { packets: entry.packetsLost, at: -Infinity })
      return undefined
    }
    const more = entry.packetsLost - before.packets
    if (more > 0) this.#lost.set(entry.id, { packets: entry.packetsLost, at })
    if (more <= 0 && at - before.at > PATIENCE_MS) return undefined
    const rate = bits((entry.bitrateIn ?? 0) + (entry.bitrateOut ?? 0))
    const text = `A pipe loses packets: ${count(entry.packetsLost)} so far, at ${rate}`
    return { severity: 'bad', text, atOnce: true }
  }
}

function complaintOf(entry: SurveyEntry): Complaint | undefined {
  switch (entry.kind) {
    case 'tier':
      if (entry.problem !== undefined)
        return { severity: 'lost', text: `Cannot be reached: ${entry.problem}`, atOnce: true }
      return entry.eventLoopDelay !== undefined && entry.eventLoopDelay > MAX_DELAY_MS
        ? { severity: 'bad', text: `Its event loop is late by ${ms(entry.eventLoopDelay)}` }
        : undefined
    case 'Worker':
      if (entry.died) return { severity: 'lost', text: 'Has died', atOnce: true }
      return entry.cpu !== undefined && entry.cpu > WATERMARK
        ? {
            severity: 'bad',
            text: `Uses ${percent(entry.cpu)} of a core, above ${percent(WATERMARK)}`
          }
        : undefined
    case 'Consumer':
      return entry.score !== undefined && entry.score < MIN_SCORE && !isPaused(entry)
        ? { severity: 'bad', text: `Has a score of ${entry.score}, below ${MIN_SCORE}` }
        : undefined
    default:
      return undefined
  }
}

const isPaused = (entry: { paused: boolean; producerPaused: boolean }) =>
  entry.paused || entry.producerPaused
