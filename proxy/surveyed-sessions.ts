// Whose the sessions on tiers below are: a proxy has sessions of its own there, for those on it.

import type { Handle } from '../lib/frame.ts'
import type { SurveyEntry } from '../lib/survey.ts'

/**
 * The session on this tier, by the id of the one below that is for it.
 *
 * @param owners the ids of sessions on this tier, by their Workers and Routers
 */
export function aboveOf(
  entries: readonly SurveyEntry[],
  owners: ReadonlyMap<Handle, string>
): Map<string, string> {
  const above = new Map<string, string>()
  if (!owners.size) return above
  const known = new Map<string, string | undefined>()
  for (const entry of entries) if (entry.kind === 'session') known.set(entry.id, entry.above)
  for (const entry of entries) {
    const owner = owners.get(entry.id)
    if (owner === undefined) continue
    const session =
      entry.kind === 'Router'
        ? entry.session
        : entry.kind === 'Worker'
          ? entry.sessions?.[0]
          : undefined
    // That which a leaf has may be for one on a tier in between.
    let top = session
    for (let next = top; next !== undefined; next = known.get(next)) top = next
    if (top !== undefined) above.set(top, owner)
  }
  return above
}
