// What is known of what is looked at, its curve, and what can be done to it.

import type { SurveyEntry } from '../lib/survey.ts'
import { Actions } from './actions.tsx'
import { Chart } from './chart.tsx'
import {
  bits,
  bytes,
  clock,
  count,
  duration,
  kindOf,
  ms,
  nameOf,
  percent,
  titleOf
} from './format.ts'
import { seriesOf } from './history.ts'
import type { Store } from './store.ts'

export function Details({ store, focus }: { store: Store; focus: SurveyEntry }) {
  const curve = store.history.of(focus.id)
  const series = seriesOf(focus)
  return (
    <section class="panel details" aria-labelledby="details-title">
      <h2 id="details-title">
        {kindOf(focus)} <code>{nameOf(focus)}</code>
      </h2>
      {curve && series.length > 0 && <Chart curve={curve} series={series} label={titleOf(focus)} />}
      <dl>
        {factsOf(store, focus).map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <Actions store={store} focus={focus} />
    </section>
  )
}

type Fact = [name: string, value: string]

/** Those that need words of their own; the others are written by what they are. */
const WORDS: Record<string, (value: never, store: Store) => string> = {
  load: ({ capacity, used, consumers }: { capacity: number; used: number; consumers: number }) =>
    `${used.toFixed(1)} of ${capacity} cores, ${count(consumers)} Consumers`,
  memory: bytes,
  eventLoopDelay: (value: number) => `${ms(value)} late`,
  since: (value: number, { at }) => `${duration(Math.max(0, at - value))}, from ${clock(value)}`,
  draining: ({ deadline }: { deadline?: number }, { at }) =>
    deadline === undefined
      ? 'until it is empty'
      : `for ${duration(Math.max(0, deadline - at))} more`,
  cpu: percent,
  bitrateIn: bits,
  bitrateOut: bits,
  packetsLost: count,
  sessions: (ids: string[], store) => ids.map(id => nameIn(store, id)).join(', '),
  session: (id: string, store) => nameIn(store, id),
  settings: (settings: object) =>
    Object.entries(settings)
      .map(([name, value]) => `${name} ${String(value)}`)
      .join(', ') || 'as by default',
  above: (id: string, store) => nameIn(store, id),
  layers: (layers: { spatialLayer: number; temporalLayer?: number }) =>
    `spatial ${layers.spatialLayer}, temporal ${layers.temporalLayer ?? '–'}`
}

const NAMES: Record<string, string> = {
  mafalda: 'Mafalda',
  mediasoup: 'mediasoup',
  cpu: 'CPU',
  pid: 'Process',
  eventLoopDelay: 'Event loop',
  since: 'There for',
  bitrateIn: 'Arrives',
  bitrateOut: 'Leaves',
  iceState: 'ICE',
  dtlsState: 'DTLS',
  sctpState: 'SCTP',
  packetsLost: 'Packets lost',
  keyFrameRequests: 'Key frames asked',
  producerId: 'Producer',
  peer: 'Other end',
  producerPaused: 'Producer paused'
}

const HIDDEN = new Set(['kind', 'of', 'tier', 'name'])

function factsOf(store: Store, entry: SurveyEntry): Fact[] {
  const facts = Object.entries(entry).flatMap(([key, value]): Fact[] => {
    if (HIDDEN.has(key) || value === undefined) return []
    const words = WORDS[key]?.(value as never, store)
    const text = words ?? (typeof value === 'boolean' ? (value ? 'yes' : 'no') : String(value))
    return [[NAMES[key] ?? key[0]!.toUpperCase() + key.slice(1), text]]
  })
  const worker = store.tree.workerOf(entry.id)
  const host = store.tree.hostOf(entry.id)
  if (worker && worker !== entry) facts.push(['Worker', String(worker.pid)])
  if (host && host !== entry) facts.push(['Host', nameOf(host)])
  return facts
}

/** Of a session: whose it is. */
function nameIn({ tree }: Store, id: string): string {
  const entry = tree.ownerOf(id)
  return entry ? nameOf(entry) : id
}
