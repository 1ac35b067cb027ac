// What happened, the latest first: what the survey says, and what the operator did here.

import type { SurveyChanges } from '../lib/survey.ts'
import { type SurveyEvent, type SurveyEventName, eventsIn } from '../lib/survey-events.ts'
import { urlName } from './format.ts'
import type { Tree } from './tree.ts'

export interface Happening {
  at: number
  tone: 'good' | 'bad' | 'calm' | 'own'
  text: string
  /** Of the entry that it is about. */
  id?: string | undefined
}

const MAX = 300

export class Timeline {
  #happenings: Happening[] = []
  #begun = false

  get list(): readonly Happening[] {
    return this.#happenings
  }

  add(happening: Happening) {
    this.#happenings = [happening, ...this.#happenings].slice(0, MAX)
  }

  /** @param tree as it was before the changes */
  follow(tree: Tree, changes: SurveyChanges) {
    // Of what was there before, nothing has happened.
    if (this.#begun)
      for (const event of eventsIn(tree.entries, changes)) this.add(happeningOf(event))
    this.#begun = true
  }
}

const WORDS: Record<
  SurveyEventName,
  [tone: Happening['tone'], text: (event: SurveyEvent) => string]
> = {
  'host up': ['good', ({ host }) => `Host ${urlName(host)} is up`],
  'host lost': ['bad', ({ host, reason }) => `Host ${urlName(host)} is lost: ${reason}`],
  'host draining': ['calm', ({ host }) => `Host ${urlName(host)} drains`],
  'host drain cancelled': ['calm', ({ host }) => `Host ${urlName(host)} does not drain any more`],
  'worker started': ['good', ({ pid, host }) => `Worker ${pid} started on ${urlName(host)}`],
  'worker died': ['bad', ({ pid, host }) => `Worker ${pid} of ${urlName(host)} has died`],
  'worker closed': ['calm', ({ pid, host }) => `Worker ${pid} of ${urlName(host)} was closed`],
  'session opened': ['calm', event => `Session of ${whose(event)} opened`],
  'session lost': ['bad', event => `Session of ${whose(event)} lost its connection`],
  'session resumed': ['good', event => `Session of ${whose(event)} is connected again`],
  'session ended': ['calm', event => `Session of ${whose(event)} ended`]
}

function happeningOf(event: SurveyEvent): Happening {
  const [tone, text] = WORDS[event.event]
  return { at: event.at, tone, text: text(event), id: event.id }
}

const whose = ({ subject, address, host }: SurveyEvent) => subject ?? address ?? urlName(host)
