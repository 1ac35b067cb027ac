// Which settings of Workers are the same.

import { statSync } from 'node:fs'
import type * as ms from 'mediasoup/types'

export type LogSettings = Required<ms.WorkerUpdateableSettings>

/** Those of a Worker, but for what concerns only its application. */
export type Settings = Omit<ms.WorkerSettings, 'appData'>

// As mediasoup's createWorker() has them.
const DEFAULTS: Settings & LogSettings = {
  logLevel: 'error',
  logTags: [],
  rtcMinPort: 10000,
  rtcMaxPort: 59999
}

/**
 * Workers with the same key are the same to their applications. A certificate is that of the
 * moment: files are replaced.
 */
export function settingsKey({ workerBin: _theHosts, ...settings }: Settings): string {
  const { dtlsCertificateFile, dtlsPrivateKeyFile } = settings
  const files = [dtlsCertificateFile, dtlsPrivateKeyFile].map(
    file => typeof file === 'string' && statSync(file, { throwIfNoEntry: false })?.mtimeMs
  )
  const given = Object.entries(settings).filter(
    ([, value]) => value !== undefined && value !== null
  )
  return JSON.stringify([
    Object.entries({ ...DEFAULTS, ...Object.fromEntries(given) }).sort(([one], [other]) =>
      one < other ? -1 : 1
    ),
    files
  ])
}

/** What is logged with settings, and before. */
export function logSettings(
  { logLevel, logTags }: ms.WorkerUpdateableSettings = {},
  before: LogSettings = DEFAULTS
): LogSettings {
  return {
    logLevel: typeof logLevel === 'string' ? logLevel : before.logLevel,
    logTags: Array.isArray(logTags) ? logTags : before.logTags
  }
}
