// What there is in the tree of a tier, kept up to date: also over another session, or another
// process in the tier's place.

import { EnhancedEventEmitter } from '../lib/mediasoup.ts'
import type { Survey, SurveyChanges, SurveyEntry, SurveyOptions } from '../lib/survey.ts'
import { changesIn, entriesIn } from '../lib/survey-entries.ts'
import { applyChanges, changesBetween } from '../lib/survey-changes.ts'

export type LiveSurveyEvents = {
  /** What has changed, at most once a second; `entries` has it already. */
  change: [changes: SurveyChanges]
  /** It is over: by close(), or with its connection. */
  close: []
}

/** What `connection.survey()` gives. */
export interface LiveSurvey extends EnhancedEventEmitter<LiveSurveyEvents> {
  /** By their ids, as last told: while there is no connection, those of before. */
  readonly entries: ReadonlyMap<string, SurveyEntry>
  readonly closed: boolean
  /** Ends it. Nobody is asked any more for its sake. */
  close(): void
}

/** Of a session. */
export type Ask = (options: SurveyOptions) => Promise<unknown>

/** What tells least, and ends what was asked for before. */
const END: SurveyOptions = { detail: 'tiers', limit: 0, subscribe: false }

export class OpenSurvey extends EnhancedEventEmitter<LiveSurveyEvents> implements LiveSurvey {
  readonly #entries = new Map<string, SurveyEntry>()
  readonly #options: SurveyOptions
  readonly #onClose: () => void
  #ask: Ask | undefined
  #closed = false

  constructor(options: SurveyOptions, onClose: () => void) {
    super()
    this.#options = { ...options, subscribe: true }
    this.#onClose = onClose
  }

  get entries(): ReadonlyMap<string, SurveyEntry> {
    return this.#entries
  }

  get closed() {
    return this.#closed
  }

  /** Asks: at first, and again when whoever was asked is another one. */
  async open(ask: Ask) {
    this.#ask = ask
    const survey = await ask(this.#options)
    if (this.#ask !== ask || this.#closed) return
    const now = new Map(entriesIn(survey).map(entry => [entry.id, entry]))
    this.#apply({ at: (survey as Survey).at, ...changesBetween(this.#entries, now) })
  }

  told(changes: SurveyChanges) {
    this.#apply({ at: changes.at, ...changesIn(changes) })
  }

  #apply(changes: SurveyChanges) {
    if (this.#closed || (!changes.changed.length && !changes.gone.length)) return
    applyChanges(this.#entries, changes)
    this.safeEmit('change', changes)
  }

  close() {
    if (this.#closed) return
    this.#closed = true
    this.#ask?.(END).catch(() => {}) // There is no connection: it ends with that.
    this.#onClose()
    this.safeEmit('close')
  }
}
