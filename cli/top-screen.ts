// What `mafalda top` shows: a table of what is below one entry of the survey, and what keys do to
// it. Knows nothing of terminals.

import type { SurveyEntry, Traffic } from '../lib/survey.ts'
import { nameOf, stateOf, trafficOf, useOf } from './survey-text.ts'

/** By which the rows are sorted. */
export const ORDERS = ['use', 'in', 'out', 'name'] as const

export type Order = (typeof ORDERS)[number]

export interface Screen {
  /** The ids of what was gone down into, the tier that was asked first. */
  path: readonly string[]
  /** The id of the row that is chosen. */
  chosen: string | undefined
  order: Order
}

export interface Size {
  columns: number
  rows: number
}

type Entries = ReadonlyMap<string, SurveyEntry>

export const firstScreen: Screen = { path: [], chosen: undefined, order: 'use' }

/** What is there of the path: what is gone is left. */
export function placeOf(entries: Entries, { path }: Screen): SurveyEntry[] {
  const known = path.map(id => entries.get(id))
  const end = known.indexOf(undefined)
  const there = (end < 0 ? known : known.slice(0, end)) as SurveyEntry[]
  const root = [...entries.values()].find(({ of }) => of === null)
  return there.length || !root ? there : [root]
}

/** What is below the place, in order. */
export function rowsOf(entries: Entries, screen: Screen): SurveyEntry[] {
  const place = placeOf(entries, screen).at(-1)
  const below = [...entries.values()].filter(({ of }) => of === place?.id)
  return below.sort(
    (one, other) =>
      rankOf(one) - rankOf(other) ||
      compare(one, other, screen.order) ||
      nameOf(one).localeCompare(nameOf(other))
  )
}

/** Sessions come after what can be gone down into, and what is told together is last. */
const rankOf = ({ kind }: SurveyEntry) => (kind === 'rest' ? 2 : kind === 'session' ? 1 : 0)

function compare(one: SurveyEntry, other: SurveyEntry, order: Order): number {
  if (order === 'name') return 0
  return valueOf(other, order) - valueOf(one, order)
}

function valueOf(entry: SurveyEntry, order: Order): number {
  const { bitrateIn = 0, bitrateOut = 0 } = entry as Partial<Traffic>
  if (order === 'in') return bitrateIn
  if (order === 'out') return bitrateOut
  switch (entry.kind) {
    case 'tier':
      return entry.problem === undefined ? entry.load.used : Infinity
    case 'session':
      return entry.objects
    case 'Worker':
      return entry.cpu ?? 0
    case 'Router':
      return entry.consumers
    case 'Producer':
    case 'Consumer':
      return -(entry.score ?? 10) // The worst first.
    default:
      return bitrateIn + bitrateOut
  }
}

/** What a key makes of the screen; undefined: it ends. */
export function press(screen: Screen, key: string, entries: Entries): Screen | undefined {
  const rows = rowsOf(entries, screen)
  const at = rows.findIndex(({ id }) => id === screen.chosen)
  const choose = (index: number) => ({
    ...screen,
    chosen: rows[Math.max(0, Math.min(rows.length - 1, index))]?.id
  })
  const place = placeOf(entries, screen).map(({ id }) => id)
  switch (key) {
    case 'q':
    case 'ctrl-c':
      return undefined
    case 'up':
    case 'k':
      return choose(at - 1)
    case 'down':
    case 'j':
      return choose(at + 1)
    case 'return':
    case 'right': {
      const row = rows[Math.max(0, at)]
      if (!row || row.kind === 'rest') return screen
      return { ...screen, path: [...place, row.id], chosen: undefined }
    }
    case 'backspace':
    case 'left':
    case 'escape':
      return place.length < 2
        ? screen
        : { ...screen, path: place.slice(0, -1), chosen: place.at(-1) }
    case 's':
      return { ...screen, order: ORDERS[(ORDERS.indexOf(screen.order) + 1) % ORDERS.length]! }
    default:
      return screen
  }
}

// What is left of the width is for the state.
const MOST = [30, 15, 8, 12, 12] as const
const TO_THE_RIGHT = 2

/** The lines of the screen, and which of them is chosen. */
export function draw(
  entries: Entries,
  screen: Screen,
  size: Size
): { lines: string[]; chosen: number | undefined } {
  const place = placeOf(entries, screen)
  const here = place.at(-1)
  const rows = rowsOf(entries, screen)
  const about = here ? [useOf(here), ...trafficOf(here), stateOf(here)] : []
  const head = [
    place.map(nameOf).join(' › ') || 'nothing is there',
    about.filter(Boolean).join('  ')
  ]
  // With the names of the columns, and the keys.
  const room = Math.max(1, size.rows - head.length - 2)
  const at = rows.findIndex(({ id }) => id === screen.chosen)
  // So that what is chosen can be seen.
  const from = Math.max(0, Math.min(at - room + 1, rows.length - room))
  const shown = rows.slice(from, from + room)
  const table = tableOf([HEADS, ...shown.map(cellsOf)])
  const keys = `↑↓ choose  Enter down  Backspace up  s sort (${screen.order})  q end`
  return {
    lines: [...head, ...table, keys].map(line => fit(line, size.columns)),
    chosen: at < 0 ? undefined : head.length + 1 + at - from
  }
}

const HEADS = ['name', 'kind', 'use', 'in', 'out', '']

const cellsOf = (entry: SurveyEntry) => [
  nameOf(entry),
  entry.kind === 'tier' ? entry.tier : entry.kind === 'rest' ? entry.rest : entry.kind,
  useOf(entry),
  ...trafficOf(entry),
  stateOf(entry)
]

/** Columns as wide as what is in them, without those in which nothing is. */
function tableOf(rows: readonly string[][]): string[] {
  const widths = MOST.map((most, column) => {
    const used = Math.max(0, ...rows.slice(1).map(row => row[column]!.length))
    return used && Math.min(most, Math.max(used, rows[0]![column]!.length))
  })
  return rows.map(row => {
    const cells = widths.flatMap((width, column) => {
      const cell = fit(row[column]!, width)
      return width ? [column < TO_THE_RIGHT ? cell.padEnd(width) : cell.padStart(width)] : []
    })
    return [...cells, row.at(-1)!].join('  ')
  })
}

/** In whole characters, with a sign where something was left out. */
function fit(text: string, width: number): string {
  const characters = [...text.trimEnd()]
  return characters.length <= width
    ? characters.join('')
    : `${characters.slice(0, width - 1).join('')}…`
}
