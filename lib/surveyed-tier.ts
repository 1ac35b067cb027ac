// What every tier tells of itself in a survey: its process, its load, and its sessions.

import type { Load } from './load.ts'
import type { Health } from './process-health.ts'
import type { SessionFacts } from './session-info.ts'
import type { SurveyedSession, SurveyedTier } from './survey.ts'
import { version } from './version.ts'

export interface TierFacts {
  node: string
  tier: SurveyedTier['tier']
  mediasoup: string | undefined
  load: Load
  health: Health
  draining?: SurveyedTier['draining']
}

export const surveyedTier = ({ node, health, ...facts }: TierFacts): SurveyedTier => ({
  id: node,
  of: null,
  kind: 'tier',
  mafalda: version,
  ...facts,
  ...health
})

/** Names are the node's, so that they are of one tier. */
export const sessionIdOf = (node: string, id: string) => `${node}/session/${id}`

export const surveyedSession = (
  node: string,
  { id, subject, address, since, objects, lost }: SessionFacts
): SurveyedSession => ({
  id: sessionIdOf(node, id),
  of: node,
  kind: 'session',
  subject,
  address,
  since,
  objects,
  lost: lost || undefined
})
