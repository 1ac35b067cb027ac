// What a survey has told, kept: each entry by its id.

import type { Survey, SurveyChanges, SurveyEntry, SurveyOptions } from '../lib/survey.ts'
import { Listeners } from './listeners.ts'

export class LiveSurvey {
  readonly #entries = new Map<string, SurveyEntry>()
  readonly #listeners = new Listeners<SurveyChanges>()
  readonly #ask: (options: SurveyOptions) => void
  #at = 0

  /** @param ask asks the tier again; what it answers comes by replace() */
  constructor(ask: (options: SurveyOptions) => void) {
    this.#ask = ask
  }

  get entries(): ReadonlyMap<string, SurveyEntry> {
    return this.#entries
  }

  /** The time of the tier, in ms since 1970; 0 before the first snapshot. */
  get at() {
    return this.#at
  }

  /**
   * Calls `listener` whenever something is new, at most once a second. After a connection was lost,
   * the first call says what is different now.
   *
   * @returns what ends that
   */
  onChange(listener: (changes: SurveyChanges) => void): () => void {
    return this.#listeners.add(listener)
  }

  /** Looks at something else from now on. What is no longer in view is told as gone. */
  look(options: SurveyOptions) {
    this.#ask(options)
  }

  /** @internal */
  replace({ at, entries }: Survey) {
    const there = new Set(entries.map(({ id }) => id))
    const gone = [...this.#entries.keys()].filter(id => !there.has(id))
    this.apply({ at, changed: entries, gone })
  }

  /** @internal */
  apply(changes: SurveyChanges) {
    this.#at = changes.at
    for (const id of changes.gone) this.#entries.delete(id)
    for (const entry of changes.changed) this.#entries.set(entry.id, entry)
    this.#listeners.tell(changes)
  }
}
