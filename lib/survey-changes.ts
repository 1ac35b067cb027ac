// What has changed between two views of a tree, and what is there with these changes.

import type { SurveyEntry } from './survey.ts'

/** What has changed from one view to the next. */
export function changesBetween(
  before: ReadonlyMap<string, SurveyEntry>,
  now: ReadonlyMap<string, SurveyEntry>
): { changed: SurveyEntry[]; gone: string[] } {
  const changed = [...now.values()].filter(entry => {
    const told = before.get(entry.id)
    return told !== entry && !(told && isSame(told, entry))
  })
  return { changed, gone: [...before.keys()].filter(id => !now.has(id)) }
}

/** What was told before, with what has changed since. */
export function applyChanges(
  entries: Map<string, SurveyEntry>,
  { changed, gone }: { changed: readonly SurveyEntry[]; gone: readonly string[] }
) {
  for (const id of gone) entries.delete(id)
  for (const entry of changed) entries.set(entry.id, entry)
}

/** Whether two entries say the same on the wire: what is undefined is not told. */
export function isSame(one: object, other: object): boolean {
  const [a, b] = [one, other] as [Record<string, unknown>, Record<string, unknown>]
  for (const key in a) if (!isEqual(a[key], b[key])) return false
  for (const key in b) if (a[key] === undefined && b[key] !== undefined) return false
  return true
}

const isEqual = (one: unknown, other: unknown): boolean =>
  one === other ||
  (typeof one === 'object' &&
    typeof other === 'object' &&
    one !== null &&
    other !== null &&
    isSame(one, other))
