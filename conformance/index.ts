// Conformance: mediasoup's own tests, replayed on tiers, and its releases compared with the model.

export { conformance, type ConformanceOptions } from './run.ts'
export { formatReport } from './format.ts'
export { drift, type Drift, type DriftEntry } from './drift/index.ts'
export { formatDrift } from './drift/format.ts'
export { watchReleases, type Watch, type WatchOptions } from './watch.ts'
export { formatWatch } from './format-watch.ts'
export { tiers } from './tiers/index.ts'
export type { Adapter } from './tiers/index.ts'
export type { Deviation } from './deviations.ts'
export type { Count, Difference, Report, TierReport } from './report.ts'
