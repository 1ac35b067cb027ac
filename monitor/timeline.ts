// What happened, the latest first.

import type { SurveyChanges, SurveyEntry } from '../lib/survey.ts'
import type { Tree } from './tree.ts'
import { titleOf } from './format.ts'

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

const isLost = (entry: SurveyEntry) => entry.kind === 'tier' && entry.problem !== undefined

type Told = Pick<Happening, 'tone' | 'text'> | undefined

function* happeningsOf(tree: Tree, { at, changed, gone }: SurveyChanges): Generator<Happening> {
  const lost = new Set(changed.flatMap(entry => (isLost(entry) ? entry.id : [])))
  for (const id of gone) {
    const entry = tree.get(id)
    const host = entry && tree.hostOf(entry.of ?? entry.id)
    // What a host that is lost has is told no longer, and may be there.
    const isCut = host && (lost.has(host.id) || gone.includes(host.id))
    const told = entry && !isCut && endOf(entry)
    if (told) yield { at, ...told }
  }
  for (const entry of changed) {
    const before = tree.get(entry.id)
    const told = before ? changeOf(before, entry) : beginningOf(entry)
    if (told) yield { at, ...told, id: entry.id }
  }
}

function beginningOf(entry: SurveyEntry): Told {
  if (entry.kind === 'tier' || entry.kind === 'Worker')
    return { tone: 'good', text: `${titleOf(entry)} is there` }
  return entry.kind === 'session' ? { tone: 'calm', text: `${titleOf(entry)} opened` } : undefined
}

function endOf(entry: SurveyEntry): Told {
  if (entry.kind === 'tier') return { tone: 'bad', text: `${titleOf(entry)} is gone` }
  if (entry.kind === 'Worker' && !entry.died)
    return { tone: 'calm', text: `${titleOf(entry)} is closed` }
  return entry.kind === 'session' ? { tone: 'calm', text: `${titleOf(entry)} ended` } : undefined
}

function changeOf(before: SurveyEntry, now: SurveyEntry): Told {
  const name = titleOf(now)
  if (now.kind === 'Worker' && before.kind === 'Worker')
    return now.died && !before.died ? { tone: 'bad', text: `${name} has died` } : undefined
  if (now.kind === 'session' && before.kind === 'session' && now.lost !== before.lost)
    return now.lost
      ? { tone: 'bad', text: `${name} lost its connection` }
      : { tone: 'good', text: `${name} is connected again` }
  if (now.kind !== 'tier' || before.kind !== 'tier') return undefined
  if (now.problem !== undefined && before.problem === undefined)
    return { tone: 'bad', text: `${name} was lost: ${now.problem}` }
  if (now.problem === undefined && before.problem !== undefined)
    return { tone: 'good', text: `${name} is back` }
  if (now.draining && !before.draining) return { tone: 'calm', text: `${name} drains` }
  return before.draining && !now.draining
    ? { tone: 'calm', text: `${name} does not drain any more` }
    : undefined
}
