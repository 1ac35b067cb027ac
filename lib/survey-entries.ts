// What another tier tells in a survey, as far as it is what it should be.

import type { SurveyChanges, SurveyEntry } from './survey.ts'

const isText = (value: unknown) => typeof value === 'string'

/** What is relied on. A tier of a later version may tell kinds, and members, of its own. */
function isEntry(value: unknown): value is SurveyEntry {
  const { id, of, kind, load, rest, count } = Object(value) as Record<string, unknown>
  if (!isText(id) || !(of === null || isText(of)) || !isText(kind)) return false
  if (kind === 'tier') return typeof load === 'object' && load !== null
  return kind !== 'rest' || (isText(rest) && of !== null && typeof count === 'number')
}

const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : [])

/** Those in the answer to `tier.survey`. */
export const entriesIn = (survey: unknown): SurveyEntry[] =>
  listOf((Object(survey) as { entries?: unknown }).entries).filter(isEntry)

/** Those in its notifications. */
export function changesIn(value: unknown): Omit<SurveyChanges, 'at'> {
  const { changed, gone } = Object(value) as Record<string, unknown>
  return { changed: listOf(changed).filter(isEntry), gone: listOf(gone).filter(isText) as string[] }
}
