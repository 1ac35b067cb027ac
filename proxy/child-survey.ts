// What a child tells of the tree below it, while somebody above looks.

import type { SurveyEntry, SurveyOptions } from '../lib/survey.ts'
import { applyChanges, isSame } from '../lib/survey-changes.ts'
import { changesIn, entriesIn } from '../lib/survey-entries.ts'
import type { RpcClient } from './rpc-client.ts'

/** What tells less than any other, and ends what was asked for before. */
const NOTHING: SurveyOptions = { detail: 'tiers', limit: 0, subscribe: false }

// More than anybody may ask for.
const MAX_ENTRIES = 40_000

export class ChildSurvey {
  #entries = new Map<string, SurveyEntry>()
  /** Why it tells nothing. */
  problem: string | undefined = 'it was not reached yet'
  #caller: RpcClient | undefined
  #options: SurveyOptions | undefined
  #key: string | undefined
  #asked: Promise<void> | undefined
  #changed: (() => void) | undefined

  /** As they were told; the child itself is that without parent. */
  get entries(): ReadonlyMap<string, SurveyEntry> {
    return this.#entries
  }

  /**
   * Asks for something else than before; without options, for nothing. Resolves when it is there,
   * or cannot be.
   *
   * @param changed is called when something has changed
   */
  look(options: SurveyOptions | undefined, changed: () => void): Promise<void> | void {
    this.#changed = changed
    const key = options && JSON.stringify(options)
    if (key === this.#key) return this.#asked
    this.#options = options
    this.#key = key
    if (!options) this.#entries = new Map()
    this.#ask()
    return this.#asked
  }

  /** It was reached, with another session than before. */
  opened(caller: RpcClient) {
    this.#caller = caller
    this.problem = undefined
    if (this.#options) this.#ask()
    this.#changed?.()
  }

  /** It cannot be reached, or is not there any more. */
  closed({ message }: Error) {
    this.#caller = undefined
    this.problem = message
    this.#changed?.()
  }

  told(changes: unknown) {
    if (!this.#options) return
    applyChanges(this.#entries, changesIn(changes))
    if (this.#entries.size > MAX_ENTRIES) this.#refuse('it tells more than it was asked for')
    this.#changed?.()
  }

  /** It is asked again when something else is looked at. */
  #refuse(problem: string) {
    this.problem = problem
    this.#options = undefined
    this.#entries = new Map()
  }

  #ask() {
    const [caller, key] = [this.#caller, this.#key]
    if (!caller) return
    this.#asked = caller.call('tier.survey', this.#options ?? NOTHING).then(
      survey => {
        if (this.#key !== key || this.#caller !== caller || !this.#options) return
        this.#take(entriesIn(survey))
        this.problem = undefined
        this.#changed?.()
      },
      ({ message }: Error) => {
        if (this.#key !== key || this.#caller !== caller) return
        this.problem = message
        this.#changed?.()
      }
    )
  }

  // What is as before stays, so that it need not be compared again.
  #take(entries: readonly SurveyEntry[]) {
    const before = this.#entries
    this.#entries = new Map(
      entries.map(entry => {
        const known = before.get(entry.id)
        return [entry.id, known && isSame(known, entry) ? known : entry]
      })
    )
  }
}
