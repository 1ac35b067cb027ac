// The map: tiers and what is below them as a tree, with the pipes between them.

/// <reference lib="dom" />
import { useMemo } from 'preact/hooks'
import type { SurveyEntry } from '../lib/survey.ts'
import { bits, count, kindOf, nameOf, titleOf } from './format.ts'
import { useOf } from './history.ts'
import { levelClass } from './level.ts'
import { layOut, type Arc, type MapLayout, type MapNode } from './map-layout.ts'
import { MapRow } from './map-row.tsx'
import type { Store } from './store.ts'
import { type Sight, useWindow } from './use-window.ts'

const ARCS = 92
const [WIDE_COLUMN, SLIM_COLUMN] = [98, 50]
const phone = matchMedia('(max-width: 620px)')

export function TreeMap({ store, focus }: { store: Store; focus: SurveyEntry }) {
  const { tree, version } = store
  const layout = useMemo(
    () => layOut(tree, focus, phone.matches ? SLIM_COLUMN : WIDE_COLUMN),
    [version, focus.id, phone.matches]
  )
  const { rows, inner, pitch, left, arcs, rowsAre } = layout
  const sight = useWindow(rows.length, pitch)
  const height = rows.length * pitch
  return (
    <section class="panel map" aria-labelledby="map-title">
      <h2 id="map-title">
        Map{' '}
        <small>
          {count(rows.length)} {rows.length === 1 ? rowsAre.replace(/s( |$)/, '$1') : rowsAre}
        </small>
        {arcs.length > 0 && (
          <small class="pipes-sum">
            pipes carry {bits(arcs.reduce((sum, arc) => sum + arc.bitrate, 0))}
          </small>
        )}
      </h2>
      <div class="scroll" ref={sight.ref} onScroll={sight.onScroll}>
        <div class="canvas" style={{ height: `${height}px` }}>
          <Links layout={layout} sight={sight} height={height} />
          {inner.map(node => (
            <InnerNode key={node.entry.id} node={node} sight={sight} />
          ))}
          <ol class="rows" style={{ left: `${left}px`, right: `${arcs.length ? ARCS : 0}px` }}>
            {rows.slice(sight.first, sight.last).map(({ entry, y }) => (
              <MapRow
                key={entry.id}
                {...{ entry, tree, pitch }}
                y={y}
                isFocus={entry.id === focus.id}
              />
            ))}
          </ol>
          {arcs.length > 0 && <Arcs {...{ arcs, pitch, sight, height, rows }} />}
        </div>
      </div>
    </section>
  )
}

/** A parent is in the middle of those of its rows that are in sight. */
function inSight({ y, from, to }: MapNode, { top, bottom }: Sight): number {
  const [first, last] = [Math.max(from, top), Math.min(to, bottom)]
  if (first > last || (first === from && last === to)) return y
  return (first + last) / 2
}

function InnerNode({ node, sight }: { node: MapNode; sight: Sight }) {
  const { entry, x } = node
  const use = useOf(entry)
  return (
    <a
      class="inner"
      href={`#${encodeURIComponent(entry.id)}`}
      style={{ left: `${x}px`, top: `${inSight(node, sight)}px` }}
      title={titleOf(entry)}
    >
      <i class={`dot big ${levelClass(use)}`} aria-hidden="true" />
      <span>
        {entry.kind === 'tier' ? entry.tier : kindOf(entry)}
        <b>{entry.kind === 'tier' ? shortened(nameOf(entry)) : nameOf(entry)}</b>
      </span>
    </a>
  )
}

const shortened = (name: string) => (name.length > 16 ? `${name.slice(0, 15)}…` : name)

function Links({ layout, sight, height }: { layout: MapLayout; sight: Sight; height: number }) {
  const seen = [...layout.inner, ...layout.rows.slice(sight.first, sight.last)]
  return (
    <svg class="links" width={layout.left} height={height} aria-hidden="true">
      {seen.map(node => {
        const { parent } = node
        if (!parent) return null
        const [x1, y1] = [parent.x, inSight(parent, sight)]
        const y2 = layout.inner.includes(node) ? inSight(node, sight) : node.y
        const middle = (x1 + node.x) / 2
        return (
          <path
            key={node.entry.id}
            class={levelClass(useOf(node.entry))}
            d={`M${x1},${y1}C${middle},${y1} ${middle},${y2} ${node.x},${y2}`}
          />
        )
      })}
    </svg>
  )
}

interface ArcsProps {
  arcs: Arc[]
  rows: MapNode[]
  pitch: number
  sight: Sight
  height: number
}

function Arcs({ arcs, rows, pitch, sight, height }: ArcsProps) {
  const most = Math.max(1, ...arcs.map(({ bitrate }) => bitrate))
  const longest = Math.max(1, ...arcs.map(({ one, other }) => other - one))
  const seen = arcs.filter(({ one, other }) => one < sight.last && other >= sight.first)
  const nameAt = (row: number) => nameOf(rows[row]!.entry)
  return (
    <svg
      class="arcs"
      width={ARCS}
      height={height}
      role="img"
      aria-label={`${arcs.length} connections by pipes`}
    >
      {seen.map(({ one, other, pipes, bitrate }) => {
        const [y1, y2] = [(one + 0.5) * pitch, (other + 0.5) * pitch]
        const bend = 24 + (ARCS - 40) * Math.sqrt((other - one) / longest) * 1.25
        return (
          <path
            key={`${one}-${other}`}
            d={`M4,${y1}C${bend},${y1} ${bend},${y2} 4,${y2}`}
            stroke-width={(1.2 + 5.3 * (bitrate / most)).toFixed(1)}
          >
            <title>{`${nameAt(one)} and ${nameAt(other)}: ${pipes} ${pipes === 1 ? 'pipe' : 'pipes'}, ${bits(bitrate)}`}</title>
          </path>
        )
      })}
    </svg>
  )
}
