// `mafalda conformance` and `mafalda conformance drift`.

import { conformance, drift, formatDrift, formatReport } from '../conformance/index.ts'
import { exitOnSignals } from '../conformance/processes.ts'

interface Options {
  tiers?: string[]
  cut?: number
  mediasoup?: string
  json?: boolean
}

export async function conform(urls: string[], { tiers, cut, mediasoup, json }: Options) {
  exitOnSignals()
  const report = await conformance({ tiers, urls, cut, mediasoup, log: line => console.error(line) })
  console.log(json ? JSON.stringify(report, null, 2) : formatReport(report))
  if (!report.conforms) process.exitCode = 1
}

export async function compare({ mediasoup, json }: Options) {
  const result = await drift(mediasoup)
  console.log(json ? JSON.stringify(result, null, 2) : formatDrift(result))
  if (result.entries.length) process.exitCode = 1
}
