// Rows, for people.

import type { Row } from './measure.ts'

const number = new Intl.NumberFormat('en-US', { maximumSignificantDigits: 3, useGrouping: false })
const format = (value: number | undefined) => (value === undefined ? '' : number.format(value))

const COLUMNS: { title: string; of(row: Row): string; left?: boolean }[] = [
  { title: '', of: ({ what }) => what, left: true },
  { title: 'median', of: ({ value, unit }) => `${format(value)} ${unit}` },
  { title: 'p50', of: ({ p50 }) => format(p50) },
  { title: 'p99', of: ({ p99 }) => format(p99) },
  { title: 'ratio', of: ({ ratio }) => (ratio === undefined ? '' : `${ratio.toFixed(2)} ×`) },
  { title: 'to', of: ({ baseline }) => baseline ?? '', left: true },
  { title: 'target', of: ({ target }) => target ?? '', left: true },
  {
    title: '',
    of: ({ reached }) => (reached === undefined ? '' : reached ? 'reached' : 'missed'),
    left: true
  }
]

export function table(rows: Row[]): string {
  const cells = [
    COLUMNS.map(({ title }) => title),
    ...rows.map(row => COLUMNS.map(column => column.of(row)))
  ]
  const widths = COLUMNS.map((_, i) => Math.max(...cells.map(line => line[i]!.length)))
  return cells
    .map(line =>
      line
        .map((cell, i) => (COLUMNS[i]!.left ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
        .join('  ')
        .trimEnd()
    )
    .join('\n')
}
