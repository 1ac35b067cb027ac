// `mafalda conformance`, `mafalda conformance drift` and `mafalda conformance watch`.

import { join } from 'node:path'
import {
  conformance,
  drift,
  formatDrift,
  formatReport,
  formatWatch,
  watchReleases
} from '../conformance/index.ts'
import { exitOnSignals } from '../conformance/processes.ts'
import { cacheDirectory } from '../server/worker/cache.mjs'

const DIFFERS = 3

interface Options {
  tiers?: string[]
  files?: string[]
  cut?: number
  mediasoup?: string
  json?: boolean
}

interface WatchOptions extends Options {
  registry?: string
  seen?: string
  workerBin?: string
}

const log = (line: string) => console.error(line)

export async function conform(urls: string[], { tiers, files, cut, mediasoup, json }: Options) {
  exitOnSignals()
  const report = await conformance({ tiers, files, urls, cut, mediasoup, log })
  console.log(json ? JSON.stringify(report, null, 2) : formatReport(report))
  if (!report.conforms) process.exitCode = 1
}

export async function compare({ mediasoup, json }: Options) {
  const result = await drift(mediasoup)
  console.log(json ? JSON.stringify(result, null, 2) : formatDrift(result))
  if (result.entries.length) process.exitCode = 1
}

export async function watch({ registry, seen, tiers, files, workerBin, json }: WatchOptions) {
  const file = seen ?? join(cacheDirectory(), 'seen.json')
  const result = await watchReleases({ registry, seen: file, tiers, files, workerBin, log })
  console.log(json ? JSON.stringify(result, null, 2) : formatWatch(result))
  if (result.found?.differs) process.exitCode = DIFFERS
}
