// What all sessions of a vertical tier share.

import type { Policy } from '../placement/policy.ts'
import type { ClosedCache } from './recently-closed.ts'
import type { TierSurvey } from '../tier-survey.ts'
import type { TierLoad } from './tier-load.ts'

export interface VerticalSettings {
  policy: Policy
  maxWorkers: number | undefined
  linger: number
  tierLoad: TierLoad
  survey: TierSurvey
  closed: ClosedCache
}
