// A row of the map: a host with its Workers, a Worker with its Routers, a Router with its transports.

import type { SurveyEntry } from '../lib/survey.ts'
import { count, nameOf, percent, titleOf } from './format.ts'
import { useOf } from './history.ts'
import { levelClass } from './level.ts'
import type { Tree } from './tree.ts'

const MAX_CELLS = 32

interface Cell {
  id: string
  class: string
  title: string
}

export interface MapRowProps {
  entry: SurveyEntry
  tree: Tree
  y: number
  pitch: number
  isFocus: boolean
}

export function MapRow({ entry, tree, y, pitch, isFocus }: MapRowProps) {
  const use = useOf(entry)
  const cells = cellsOf(tree, entry)
  const problem = entry.kind === 'tier' ? entry.problem : undefined
  const draining = entry.kind === 'tier' && entry.draining
  return (
    <li style={{ top: `${y - pitch / 2}px`, height: `${pitch}px` }}>
      <a
        href={`#${encodeURIComponent(entry.id)}`}
        class={problem === undefined ? '' : 'lost'}
        aria-current={isFocus ? 'true' : undefined}
        title={titleOf(entry)}
      >
        <i class={`dot ${levelClass(use)}`} />
        <span class="name">{nameOf(entry)}</span>
        <span class="summary">
          {draining && <em class="tag">draining</em>}
          {problem ?? summaryOf(tree, entry)}
        </span>
        <span class="cells">
          {cells.slice(0, MAX_CELLS).map(cell => (
            <i key={cell.id} class={cell.class} title={cell.title} />
          ))}
          {cells.length > MAX_CELLS && <small>+{cells.length - MAX_CELLS}</small>}
        </span>
        {use !== undefined && (
          <span class={`bar ${levelClass(use)}`}>
            <b style={{ width: `${Math.round(use * 100)}%` }} />
          </span>
        )}
        {use !== undefined && <span class="share">{percent(use)}</span>}
      </a>
    </li>
  )
}

function summaryOf(tree: Tree, entry: SurveyEntry): string {
  switch (entry.kind) {
    case 'tier':
      return `${plural(entry.load.routers, 'room')} · ${plural(entry.load.consumers, 'Consumer')}`
    case 'Worker':
      return plural(tree.childrenOf(entry.id, 'Router').length, 'room')
    case 'Router':
      return placeOf(tree, entry)
    default:
      return ''
  }
}

const plural = (number: number, noun: string) =>
  `${count(number)} ${noun}${number === 1 ? '' : 's'}`

function placeOf(tree: Tree, { id }: SurveyEntry): string {
  const [host, worker] = [tree.hostOf(id), tree.workerOf(id)]
  return `${host ? nameOf(host) : '–'} · ${worker?.pid ?? '–'}`
}

function cellsOf(tree: Tree, entry: SurveyEntry): Cell[] {
  return tree.children(entry.id).flatMap(child => {
    const className = cellClass(child)
    if (className === undefined) return []
    const use = useOf(child)
    const title = use === undefined ? titleOf(child) : `${titleOf(child)}: ${percent(use)}`
    return { id: child.id, class: className, title }
  })
}

// Of rooms: by how many Consumers they have.
const MANY_CONSUMERS = 100

function cellClass(entry: SurveyEntry): string | undefined {
  switch (entry.kind) {
    case 'Worker':
      return levelClass(useOf(entry))
    case 'Router':
      return levelClass(Math.min(0.6, entry.consumers / MANY_CONSUMERS))
    case 'PipeTransport':
      return 'pipe'
    case 'WebRtcTransport':
      return entry.dtlsState === 'failed' || entry.iceState === 'disconnected'
        ? 'level-4'
        : entry.dtlsState === 'connected'
          ? 'level-2'
          : 'level-0'
    case 'PlainTransport':
    case 'DirectTransport':
      return 'level-1'
    default:
      return undefined
  }
}
