// The columns of the tables, for each sort of thing.

import type {
  SurveyedConsumer,
  SurveyedProducer,
  SurveyedRouter,
  SurveyedSession,
  SurveyedTier,
  SurveyedTransport,
  SurveyedWorker,
  SurveyEntry
} from '../lib/survey.ts'
import { bits, bytes, count, duration, ms, nameOf, percent } from './format.ts'
import { useOf } from './history.ts'
import { levelClass } from './level.ts'
import { Sparkline } from './sparkline.tsx'
import type { Store } from './store.ts'
import type { Column } from './table.tsx'
import { type Pipe, bitrateOf } from './tree.ts'

type Columns<T> = (store: Store) => Column<T>[]

const number = <T,>(
  label: string,
  value: (row: T) => number | undefined,
  more: Partial<Column<T>> = {}
): Column<T> => ({
  ...{ label, value, isNumber: true, share: 0.9 },
  show: row => (value(row) === undefined ? '–' : count(value(row)!)),
  ...more
})

const rate = <T,>(label: string, value: (row: T) => number | undefined): Column<T> =>
  number(label, value, { show: row => bits(value(row)), share: 1 })

const use = <T extends SurveyEntry>(label: string): Column<T> => ({
  ...{ label, value: useOf, isNumber: true, share: 1.5 },
  show: row => (
    <span class="use">
      <span class={`bar ${levelClass(useOf(row))}`}>
        <b style={{ width: `${Math.round((useOf(row) ?? 0) * 100)}%` }} />
      </span>
      {percent(useOf(row))}
    </span>
  )
})

const trend = <T extends SurveyEntry>({ history }: Store, max?: number): Column<T> => ({
  label: 'Lately',
  value: () => undefined,
  show: ({ id }) => (
    <Sparkline
      values={history.of(id)?.values.at(-1)?.slice(-60) ?? []}
      max={max}
      width={72}
      height={20}
    />
  ),
  share: 1,
  isMinor: true
})

const host = <T extends SurveyEntry>({ tree }: Store): Column<T> => ({
  label: 'Host',
  value: ({ id }) => nameIf(tree.hostOf(id)),
  share: 1.6
})

const worker = <T extends SurveyEntry>({ tree }: Store): Column<T> => ({
  label: 'Worker',
  value: ({ id }) => tree.workerOf(id)?.pid,
  isNumber: true,
  share: 0.8,
  isMinor: true
})

const id = <T extends SurveyEntry>(label: string): Column<T> => ({
  label,
  value: row => row.id,
  show: row => <code>{row.id}</code>,
  share: 1.5
})

const nameIf = (entry: SurveyEntry | undefined) => entry && nameOf(entry)

const score = <T extends { score?: number }>(): Column<T> =>
  number('Score', row => row.score, {
    show: row =>
      row.score === undefined ? '–' : <span class={row.score < 5 ? 'bad' : ''}>{row.score}</span>,
    share: 0.7
  })

const badge = (text: string | undefined, tone = '') =>
  text ? <em class={`tag ${tone}`}>{text}</em> : '–'

export const hosts: Columns<SurveyedTier> = () => [
  { label: 'Host', value: nameOf, share: 2 },
  {
    label: 'State',
    value: row => stateOf(row),
    show: row => badge(stateOf(row), row.problem ? 'bad' : row.draining ? 'warn' : 'calm'),
    share: 0.9
  },
  use('Cores in use'),
  number('Workers', row => row.load.workers),
  number('Rooms', row => row.load.routers),
  number('Consumers', row => row.load.consumers, { share: 1.1 }),
  number('Memory', row => row.memory, { show: row => bytes(row.memory), isMinor: true }),
  number('Event loop', row => row.eventLoopDelay, {
    show: row => (row.eventLoopDelay === undefined ? '–' : ms(row.eventLoopDelay)),
    isMinor: true,
    share: 1.15
  })
]

export const stateOf = ({ problem, draining }: SurveyedTier) =>
  problem !== undefined ? 'lost' : draining ? 'draining' : 'up'

export const workers: Columns<SurveyedWorker> = store => [
  {
    label: 'Worker',
    value: row => row.pid,
    share: 0.9,
    show: row => (
      <>
        {row.pid} {row.died && badge('died', 'bad')}
      </>
    )
  },
  host(store),
  use('CPU'),
  trend(store, 1),
  number('Rooms', row => store.tree.childrenOf(row.id, 'Router').length),
  number('Memory', row => row.memory, { show: row => bytes(row.memory) }),
  {
    label: 'Sessions',
    value: row =>
      row.sessions.map(session => nameIf(store.tree.ownerOf(session)) ?? session).join(', '),
    isMinor: true,
    share: 1.4
  }
]

export const rooms: Columns<SurveyedRouter> = store => [
  id('Router'),
  host(store),
  worker(store),
  {
    label: 'Session',
    value: row => nameIf(store.tree.ownerOf(row.session)) ?? row.session,
    share: 1.2,
    isMinor: true
  },
  number('Transports', row => row.transports),
  number('Producers', row => row.producers),
  number('Consumers', row => row.consumers),
  trend(store)
]

export const transports: Columns<SurveyedTransport> = store => [
  id('Transport'),
  { label: 'Kind', value: row => row.kind.replace('Transport', ''), share: 0.8 },
  {
    label: 'State',
    value: row => row.dtlsState ?? row.iceState ?? row.sctpState,
    show: row =>
      badge(
        row.dtlsState ?? row.iceState,
        /failed|disconnected/.test(`${row.dtlsState} ${row.iceState}`) ? 'bad' : 'calm'
      ),
    share: 1
  },
  host(store),
  rate('In', row => row.bitrateIn),
  rate('Out', row => row.bitrateOut),
  number('Lost', row => row.packetsLost, { share: 0.7 }),
  trend(store),
  { label: 'Remote', value: row => row.remote, share: 1.5, isMinor: true }
]

export const pipes: Columns<Pipe> = ({ tree }) => {
  const end = (row: Pipe['other']) =>
    row && `${nameIf(tree.hostOf(row.id)) ?? ''} · ${tree.workerOf(row.id)?.pid ?? ''}`
  return [
    { label: 'One end', value: ({ one }) => end(one), share: 2 },
    { label: 'Other end', value: ({ one, other }) => end(other) ?? one.remote, share: 2 },
    rate('Carries', bitrateOf),
    number('Lost', ({ one, other }) => (one.packetsLost ?? 0) + (other?.packetsLost ?? 0), {
      share: 0.8
    }),
    {
      label: 'PipeTransport',
      value: ({ one }) => one.id,
      show: ({ one }) => <code>{one.id}</code>,
      isMinor: true,
      share: 1.3
    }
  ]
}

const stream = [
  { label: 'Media', value: (row: SurveyedProducer | SurveyedConsumer) => row.media, share: 0.7 },
  {
    label: 'Codec',
    value: (row: SurveyedProducer | SurveyedConsumer) => row.codec.replace(/^\w+\//, ''),
    share: 0.8
  }
]

export const producers: Columns<SurveyedProducer> = store => [
  id('Producer'),
  ...stream,
  { label: 'State', value: row => (row.paused ? 'paused' : row.type), share: 0.9 },
  score(),
  rate('Bitrate', row => row.bitrateIn),
  number('Lost', row => row.packetsLost, { share: 0.7 }),
  trend(store),
  host(store)
]

export const consumers: Columns<SurveyedConsumer> = store => [
  id('Consumer'),
  ...stream,
  {
    label: 'State',
    value: row => (row.paused ? 'paused' : row.producerPaused ? 'producer paused' : row.type),
    share: 1
  },
  score(),
  {
    label: 'Layers',
    value: ({ layers }) => layers && `S${layers.spatialLayer} T${layers.temporalLayer ?? '–'}`,
    share: 0.8,
    isMinor: true
  },
  rate('Bitrate', row => row.bitrateOut),
  number('Lost', row => row.packetsLost, { share: 0.7 }),
  number('Key frames', row => row.keyFrameRequests, { isMinor: true, share: 1.1 }),
  trend(store)
]

export const sessions: Columns<SurveyedSession> = ({ tree, at }) => [
  {
    label: 'Session',
    value: nameOf,
    share: 1.5,
    show: row => (
      <>
        {nameOf(row)} {row.lost && badge('lost', 'warn')}
      </>
    )
  },
  { label: 'Address', value: row => row.address, share: 1.2 },
  { label: 'On', value: ({ id }) => nameIf(tree.hostOf(id)), share: 1.6 },
  number('Age', row => at - row.since, { show: row => duration(Math.max(0, at - row.since)) }),
  number('Objects', row => row.objects)
]

export const others: Columns<SurveyEntry> = store => [
  id('Id'),
  {
    label: 'Kind',
    value: row => (row.kind === 'rest' ? `${row.rest}s, told together` : row.kind),
    share: 1.4
  },
  {
    label: 'Label',
    value: row =>
      'label' in row ? row.label : row.kind === 'rest' ? `${count(row.count)}` : undefined
  },
  {
    label: 'State',
    value: row => ('paused' in row && row.paused ? 'paused' : 'active'),
    share: 0.8
  },
  host(store)
]
