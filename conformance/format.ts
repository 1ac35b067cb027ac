// A report as text: a table test file × tier, then a line for each difference.

import type { Count, Difference, Report, TierReport } from './report.ts'

export function formatReport(report: Report): string {
  const { baseline, tiers } = report
  const parts = [
    `mediasoup ${report.mediasoup} on Node.js ${report.node}, with ${report.workerBin}`,
    table(report),
    ...(baseline.error ? [`baseline: could not be run\n${indent(baseline.error)}`] : []),
    ...baseline.failures.map(
      ({ file, test, message }) =>
        `baseline: ${file}: ${test}: failed\n${indent(message.join('\n'))}`
    ),
    ...tiers.flatMap(formatTier),
    report.conforms ? 'Every tier conforms.' : verdict(report)
  ]
  return parts.join('\n\n')
}

function table({ baseline, tiers }: Report): string {
  const columns = [{ tier: 'baseline', ...baseline }, ...tiers]
  const rows = Object.keys(baseline.files)
    .toSorted()
    .map(file => [file, ...columns.map(column => ratio(column.files[file]))])
  return align([
    ['', ...columns.map(({ tier }) => tier)],
    ...rows,
    ['total', ...columns.map(({ count }) => ratio(count))],
    ['seconds', ...columns.map(({ seconds }) => seconds.toFixed(1))],
    ...(tiers.some(({ connections }) => connections)
      ? [['connections', '–', ...tiers.map(({ connections }) => String(connections ?? '–'))]]
      : [])
  ])
}

function formatTier({ tier, about, error, differences, stale }: TierReport): string[] {
  if (error) return [`${tier} (${about}): could not be tested\n${indent(error)}`]
  return [
    ...differences.map(difference => `${tier}: ${formatDifference(difference)}`),
    ...stale.map(
      ({ test, reason }) =>
        `${tier}: ${test}: passes, though a deviation is declared (${reason}): remove it`
    )
  ]
}

function formatDifference({ file, test, status, message, deviation }: Difference): string {
  if (deviation) return `${file}: ${test}: ${status}, as declared: ${deviation.reason}`
  return `${file}: ${test}: ${status}\n${indent(message.join('\n'))}`
}

function verdict({ baseline, tiers }: Report): string {
  if (baseline.error) return 'The baseline could not be run, so nothing is known of the tiers.'
  return `Not conforming: ${tiers
    .filter(({ conforms }) => !conforms)
    .map(({ tier }) => tier)
    .join(', ')}.`
}

function ratio(count?: Count): string {
  return count ? `${count.passed}/${count.total}` : '–'
}

function align(rows: string[][]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map(row => row[column]?.length ?? 0))
  )
  const line = (row: string[]) =>
    row.map((cell, i) => (i ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)))
  return rows.map(row => line(row).join('   ')).join('\n')
}

function indent(text: string): string {
  return text.replaceAll(/^/gm, '    ')
}
