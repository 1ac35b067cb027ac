// What is asked of the tier: the whole tree, and all that is below what is looked at.

import {
  type Load,
  type SurveyChanges,
  type SurveyDetail,
  type SurveyOptions,
  type LiveSurvey,
  TierClient
} from '../browser/index.ts'

/** Up to this many Consumers, pipes between hosts are in the whole tree; above, only where one looks. */
const MAX_CONSUMERS = 2_000
// A room may span very many Routers.
const MAX_VIEWS = 16
const BOUNDS = { limit: 1_000, most: 20_000 }

/** What is to be looked at closely: ids, and how deep. */
export type Closely = ReadonlyMap<string, SurveyDetail>

export class Surveys {
  readonly client: TierClient
  #survey: LiveSurvey | undefined
  #detail: SurveyDetail = 'routers'
  #closely = ''

  constructor(
    url: string,
    token: string | undefined,
    listener: { onChanges(changes: SurveyChanges): void; onState(): void }
  ) {
    this.client = new TierClient(url, { token })
    this.client.onState(() => listener.onState())
    void this.#begin(listener.onChanges)
  }

  /** Other places are looked at closely from now on. */
  look(closely: Closely) {
    const key = JSON.stringify([...closely])
    if (!this.#survey || key === this.#closely) return
    this.#closely = key
    this.#survey.look(this.#options(closely))
  }

  async #begin(onChanges: (changes: SurveyChanges) => void) {
    const { client } = this
    const load = (await client.call('tier.load', { subscribe: false }).catch(() => undefined)) as
      | Load
      | undefined
    if (client.state === 'closed') return
    if (load && load.consumers <= MAX_CONSUMERS) this.#detail = 'transports'
    this.#survey = client.survey(this.#options(new Map()))
    this.#survey.onChange(onChanges)
  }

  #options(closely: Closely): SurveyOptions {
    const also = [...closely].map(([under, detail]) => ({ under, detail, limit: BOUNDS.limit }))
    return { detail: this.#detail, ...BOUNDS, also: also.slice(0, MAX_VIEWS) }
  }
}
