// A table that sorts and filters, and draws only the rows in sight.

/// <reference lib="dom" />
import type { ComponentChildren } from 'preact'
import { useMemo, useState } from 'preact/hooks'
import { count } from './format.ts'
import { useWindow } from './use-window.ts'

export interface Column<T> {
  label: string
  /** What it is sorted and filtered by. */
  value(row: T): string | number | undefined
  /** Default: the value. */
  show?(row: T): ComponentChildren
  isNumber?: boolean
  /** Its part of the width. */
  share?: number
  /** Left out where there is little room. */
  isMinor?: boolean
}

export interface TableProps<T> {
  label: string
  rows: readonly T[]
  columns: readonly Column<T>[]
  keyOf(row: T): string
  /** The one that is looked at. */
  current?: string | undefined
  onChoose?: ((row: T) => void) | undefined
  /** When it is another, the rows are. */
  version: number
}

const PITCH = 34

interface Order {
  column: number
  isDown: boolean
}

export function Table<T>(props: TableProps<T>) {
  const { label, rows, columns, keyOf, current, onChoose, version } = props
  const [order, setOrder] = useState<Order>({ column: 0, isDown: false })
  const [filter, setFilter] = useState('')
  const shown = useMemo(
    () =>
      ordered(filtered(rows, columns, filter), columns[order.column] ?? columns[0]!, order.isDown),
    [version, rows.length, label, order, filter]
  )
  const sight = useWindow(shown.length, PITCH)
  const shares = columns.reduce((sum, { share = 1 }) => sum + share, 0)
  const [before, after] = [sight.first * PITCH, (shown.length - sight.last) * PITCH]
  return (
    <>
      <div class="filter">
        <input
          type="search"
          placeholder={`Filter ${label.toLowerCase()}`}
          aria-label={`Filter ${label}`}
          value={filter}
          onInput={event => setFilter(event.currentTarget.value)}
        />
        <small role="status">
          {filter ? `${count(shown.length)} of ${count(rows.length)}` : count(rows.length)}
        </small>
      </div>
      <div class="scroll" ref={sight.ref} onScroll={sight.onScroll}>
        <table aria-label={label} aria-rowcount={shown.length + 1}>
          <colgroup>
            {columns.map(column => (
              <col
                key={column.label}
                class={column.isMinor ? 'minor' : ''}
                style={{ width: `${((column.share ?? 1) / shares) * 100}%` }}
              />
            ))}
          </colgroup>
          <thead>
            <tr>
              {columns.map((column, i) => (
                <Heading key={column.label} {...{ column, order, setOrder }} index={i} />
              ))}
            </tr>
          </thead>
          <tbody>
            {before > 0 && <Gap columns={columns.length} height={before} />}
            {shown.slice(sight.first, sight.last).map((row, i) => (
              <tr
                key={keyOf(row)}
                aria-rowindex={sight.first + i + 2}
                aria-current={keyOf(row) === current ? 'true' : undefined}
                class={onChoose ? 'choice' : ''}
                onClick={onChoose && (() => onChoose(row))}
              >
                {columns.map((column, at) => (
                  <td key={column.label} class={classOf(column)}>
                    {at === 0 && onChoose ? (
                      <button type="button" class="link">
                        {cell(column, row)}
                      </button>
                    ) : (
                      cell(column, row)
                    )}
                  </td>
                ))}
              </tr>
            ))}
            {after > 0 && <Gap columns={columns.length} height={after} />}
          </tbody>
        </table>
        {!shown.length && <p class="nothing">Nothing here{filter ? ' has that in it' : ''}.</p>}
      </div>
    </>
  )
}

/** In the place of rows that are out of sight. */
const Gap = ({ columns, height }: { columns: number; height: number }) => (
  <tr class="gap">
    <td colSpan={columns} style={{ height: `${height}px` }} />
  </tr>
)

interface HeadingProps<T> {
  column: Column<T>
  index: number
  order: Order
  setOrder(order: Order): void
}

function Heading<T>({ column, index, order, setOrder }: HeadingProps<T>) {
  const isSorted = order.column === index
  // Of numbers, the largest are looked for.
  const isDown = isSorted ? !order.isDown : column.isNumber === true
  return (
    <th
      scope="col"
      class={classOf(column)}
      aria-sort={isSorted ? (order.isDown ? 'descending' : 'ascending') : undefined}
    >
      <button type="button" onClick={() => setOrder({ column: index, isDown })}>
        {column.label}
        <span aria-hidden="true">{isSorted ? (order.isDown ? ' ↓' : ' ↑') : ''}</span>
      </button>
    </th>
  )
}

const classOf = <T,>({ isNumber, isMinor }: Column<T>) =>
  `${isNumber ? 'number' : ''} ${isMinor ? 'minor' : ''}`

const cell = <T,>(column: Column<T>, row: T): ComponentChildren =>
  column.show ? column.show(row) : (column.value(row) ?? '–')

function filtered<T>(rows: readonly T[], columns: readonly Column<T>[], filter: string) {
  const text = filter.trim().toLowerCase()
  if (!text) return rows
  return rows.filter(row =>
    columns.some(({ value }) =>
      String(value(row) ?? '')
        .toLowerCase()
        .includes(text)
    )
  )
}

const collator = new Intl.Collator('en', { numeric: true })

function ordered<T>(rows: readonly T[], { value }: Column<T>, isDown: boolean): T[] {
  const keyed = rows.map(row => ({ row, key: value(row) }))
  const sign = isDown ? -1 : 1
  keyed.sort(({ key: one }, { key: other }) => {
    if (one === other) return 0
    // What is not known comes last.
    if (one === undefined) return 1
    if (other === undefined) return -1
    return sign * compare(one, other)
  })
  return keyed.map(({ row }) => row)
}

function compare(one: string | number, other: string | number): number {
  if (typeof one === 'number' && typeof other === 'number') return one - other
  const [text, than] = [String(one), String(other)]
  // Most ids are as long as others, and then need no look at the numbers in them.
  if (text.length === than.length) return text < than ? -1 : 1
  return collator.compare(text, than)
}
