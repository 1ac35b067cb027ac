// Dashboards: what a tier tells of its tree, in a browser or in Node.js.

export type * from '../lib/survey.ts'
export type { Load } from '../lib/load.ts'
export { LiveSurvey } from './live-survey.ts'
export { TierClient, type TierClientOptions, type TierState } from './tier-client.ts'
