// Who looks at a tier by hand: what it was told of, kept up to date.

import type { Survey, SurveyChanges, SurveyEntry, SurveyOptions } from '../../lib/survey.ts'
import { applyChanges } from '../../lib/survey-changes.ts'
import type { Link } from '../../lib/tier.ts'
import { decode, encodeRequest } from '../../lib/wire.ts'
import { until } from './until.ts'

type OfKind<K extends SurveyEntry['kind']> = SurveyEntry & { kind: K }

export interface Surveyor {
  entries: Map<string, SurveyEntry>
  changes: SurveyChanges[]
  /** Every frame, as it came. */
  frames: string[]
  /** Those of a kind. */
  of<K extends SurveyEntry['kind']>(kind: K): OfKind<K>[]
  /** The first that is as wanted, when there is one. */
  find<K extends SurveyEntry['kind']>(
    kind: K,
    isWanted?: (entry: OfKind<K>) => unknown
  ): Promise<OfKind<K>>
}

/** Looks at a tier through a session on it. */
export async function look(link: Link, options: SurveyOptions = {}): Promise<Surveyor> {
  const entries = new Map<string, SurveyEntry>()
  const changes: SurveyChanges[] = []
  const frames: string[] = []
  let isAnswered = false
  let failure: unknown
  link.on('frame', frame => {
    const message = decode(frame) as unknown as {
      result?: Survey
      error?: unknown
      method?: string
      params?: [SurveyChanges]
    }
    frames.push(String(frame))
    failure ??= message.error
    if (message.result) {
      isAnswered = true
      entries.clear()
      for (const entry of message.result.entries) entries.set(entry.id, entry)
    }
    if (message.method !== 'tier.survey') return
    changes.push(message.params![0])
    applyChanges(entries, message.params![0])
  })
  link.send(encodeRequest('survey', 'tier.survey', [options]))
  await until(() => isAnswered || failure)
  if (failure) throw Object.assign(new Error((failure as Error).message), failure)
  const of = <K extends SurveyEntry['kind']>(kind: K) =>
    [...entries.values()].filter((entry): entry is OfKind<K> => entry.kind === kind)
  return {
    entries,
    changes,
    frames,
    of,
    find: (kind, isWanted = () => true) =>
      until(() => of(kind).find(isWanted), 30, String(isWanted))
  }
}
