// The sums of the whole tree, with what they were lately.

import { bits, cores, count, percent } from './format.ts'
import { levelClass } from './level.ts'
import { Sparkline } from './sparkline.tsx'
import type { Store, Totals } from './store.ts'

interface Tile {
  label: string
  value: string
  note?: string
  of(totals: Totals): number | undefined
  max?: number
  class?: string
}

export function TotalsRow({ store }: { store: Store }) {
  const { totals, trend, tree } = store
  if (!totals || !tree.root) return null
  const { capacity, used } = tree.root.load
  const all: Tile[] = [
    {
      label: 'Cores in use',
      value: percent(totals.use),
      note: `${cores(used)} of ${cores(capacity)}`,
      of: each => each.use,
      max: 1,
      class: levelClass(totals.use)
    },
    { label: 'Hosts', value: count(totals.hosts), of: each => each.hosts },
    { label: 'Workers', value: count(totals.workers), of: each => each.workers },
    { label: 'Rooms', value: count(totals.rooms), note: 'Routers', of: each => each.rooms },
    { label: 'Consumers', value: count(totals.consumers), of: each => each.consumers },
    { label: 'Sessions', value: count(totals.sessions), of: each => each.sessions },
    {
      label: 'Media',
      value: bits(totals.traffic),
      of: each => each.traffic
    }
  ]
  const tiles = all.filter(({ of }) => of(totals) !== undefined)
  return (
    <dl class="totals">
      {tiles.map(tile => (
        <div key={tile.label} class={tile.class ?? ''}>
          <dt>{tile.label}</dt>
          <dd>
            <b>{tile.value}</b>
            {tile.note && <small>{tile.note}</small>}
            <Sparkline values={trend.map(tile.of)} max={tile.max} width={72} height={22} />
          </dd>
        </div>
      ))}
    </dl>
  )
}
