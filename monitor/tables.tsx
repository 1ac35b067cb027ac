// The tables of what is below what is looked at, one for each sort of thing.

/// <reference lib="dom" />
import { useMemo, useState } from 'preact/hooks'
import type { SurveyEntry } from '../lib/survey.ts'
import * as columns from './columns.tsx'
import { count } from './format.ts'
import type { Store } from './store.ts'
import { type Column, Table } from './table.tsx'
import type { Pipe, Tree } from './tree.ts'

interface Sort<T> {
  label: string
  rows: T[]
  columnsOf(store: Store): Column<T>[]
  keyOf(row: T): string
}

const TRANSPORTS = [
  'WebRtcTransport',
  'PlainTransport',
  'PipeTransport',
  'DirectTransport'
] as const
const OTHERS = [
  'DataProducer',
  'DataConsumer',
  'AudioLevelObserver',
  'ActiveSpeakerObserver',
  'rest'
] as const

const idOf = ({ id }: SurveyEntry) => id

function sortsOf(tree: Tree, focus: SurveyEntry): Sort<never>[] {
  const scope = scopeOf(tree, focus)
  const byKind = Map.groupBy(
    scope.flatMap(id => tree.below(id)),
    ({ kind }) => kind
  )
  const of = <T extends SurveyEntry>(
    label: string,
    kinds: readonly T['kind'][],
    columnsOf: Sort<T>['columnsOf']
  ): Sort<T> => ({
    ...{ label, columnsOf, keyOf: idOf },
    rows: kinds.flatMap(kind => byKind.get(kind) ?? []) as T[]
  })
  const hosts = focus.kind === 'tier' ? tree.hosts(focus.id) : []
  const pipes: Sort<Pipe> = {
    ...{ label: 'Pipes', columnsOf: columns.pipes, keyOf: ({ one }) => one.id },
    rows: uniquePipes(scope.flatMap(id => tree.pipes(id)))
  }
  const all = [
    { label: 'Hosts', rows: hosts.length > 1 ? hosts : [], columnsOf: columns.hosts, keyOf: idOf },
    of('Workers', ['Worker'], columns.workers),
    of('Rooms', ['Router'], columns.rooms),
    of('Transports', TRANSPORTS, columns.transports),
    of('Producers', ['Producer'], columns.producers),
    of('Consumers', ['Consumer'], columns.consumers),
    pipes,
    of('Others', OTHERS, columns.others),
    of('Sessions', ['session'], columns.sessions)
  ]
  return all.filter(({ rows }) => rows.length) as unknown as Sort<never>[]
}

/** What is told of: what is looked at, and of a room all its Routers. */
function scopeOf(tree: Tree, focus: SurveyEntry): string[] {
  if (focus.kind === 'Router') return tree.room(focus.id).map(idOf)
  const isLast = !tree.children(focus.id).length && focus.of !== null && focus.kind !== 'tier'
  return [isLast ? focus.of! : focus.id]
}

const uniquePipes = (pipes: Pipe[]) => [...new Map(pipes.map(pipe => [pipe.one.id, pipe])).values()]

const FIRST: Partial<Record<SurveyEntry['kind'], string>> = {
  Worker: 'Rooms',
  Router: 'Transports',
  Producer: 'Producers',
  Consumer: 'Consumers',
  session: 'Sessions'
}

export function Tables({ store, focus }: { store: Store; focus: SurveyEntry }) {
  const { tree, version } = store
  const [chosen, choose] = useState<Record<string, string>>({})
  const sorts = useMemo(() => sortsOf(tree, focus), [version, focus.id])
  const named = (label?: string) => sorts.find(sort => sort.label === label)
  const sort = named(chosen[focus.kind]) ?? named(FIRST[focus.kind]) ?? sorts[0]
  if (!sort) return null
  const onChoose = (row: SurveyEntry | Pipe) => {
    location.hash = encodeURIComponent('one' in row ? row.one.id : row.id)
  }
  return (
    <section class="panel tables" aria-label="Tables">
      <div class="tabs" role="tablist" aria-label="What is listed">
        {sorts.map(({ label, rows }) => (
          <button
            key={label}
            type="button"
            role="tab"
            aria-selected={label === sort.label}
            onClick={() => choose({ ...chosen, [focus.kind]: label })}
          >
            {label} <small>{count(rows.length)}</small>
          </button>
        ))}
      </div>
      <Table
        key={sort.label}
        label={sort.label}
        rows={sort.rows as (SurveyEntry | Pipe)[]}
        columns={sort.columnsOf(store) as Column<SurveyEntry | Pipe>[]}
        keyOf={sort.keyOf as (row: SurveyEntry | Pipe) => string}
        current={focus.id}
        onChoose={onChoose}
        version={version}
      />
    </section>
  )
}
