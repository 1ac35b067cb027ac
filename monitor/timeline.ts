// What happened, the latest first.

import type { SurveyChanges } from '../lib/survey.ts'
import type { Tree } from './tree.ts'
import { kindOf, nameOf } from './format.ts'

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
    if (this.#begun) for (const happening of happeningsOf(tree, changes)) this.add(happening)
    this.#begun = true
  }
}

function* happeningsOf(tree: Tree, { at, changed, gone }: SurveyChanges): Generator<Happening> {
  for (const id of gone) {
    const entry = tree.get(id)
    if (entry?.kind === 'tier')
      yield { at, tone: 'bad', text: `${kindOf(entry)} ${nameOf(entry)} is gone`, id }
    if (entry?.kind === 'Worker') yield { at, tone: 'bad', text: `Worker ${entry.pid} is gone`, id }
  }
  for (const entry of changed) {
    const before = tree.get(entry.id)
    if (!before && entry.kind === 'Worker')
      yield { at, tone: 'good', text: `Worker ${entry.pid} started`, id: entry.id }
  }
}
