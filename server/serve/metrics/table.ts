// The metrics of a tier: names, units and what they say. Labels have a number of values that is
// known, and none of them names a client, a room or an object.

import { CHILD_STATES, type Figures, type WebhookFigures } from '../../../lib/figures.ts'
import { type ObjectKind, kinds } from '../../../lib/methods.ts'
import { version } from '../../../lib/version.ts'
import { BOUNDS, type MethodCounts, OUTCOMES } from './calls.ts'
import type { Entrance } from './entrance.ts'

/** What a server says of itself. */
export interface Condition {
  sessions: number
  draining: boolean
  overloaded: boolean
  /** Bytes that wait to be sent to clients. */
  backlog: number
  /** The part of --max-memory that is used. */
  memoryUsed: number
}

/** What there is when the metrics are read. */
export interface Reading {
  entrance: Entrance
  condition: Condition
  node: string | undefined
  figures: Figures | undefined
  /** Of a registry that tells an application. */
  webhooks: WebhookFigures | undefined
}

export interface Value {
  value: number
  labels?: Record<string, string | number>
  /** Of a histogram: `<name>_bucket` and so on. */
  metricName?: string
}

export interface Row {
  name: string
  type: 'counter' | 'gauge' | 'histogram'
  help: string
  values(reading: Reading): Value[]
}

const one = (value: number | undefined): Value[] => (value === undefined ? [] : [{ value }])

const labelled = <K extends string>(label: string, values: Iterable<readonly [K, number]>) =>
  [...values].map(([name, value]) => ({ value, labels: { [label]: name } }))

const row = (
  type: Row['type'],
  name: string,
  help: string,
  values: (reading: Reading) => number | undefined | Value[]
): Row => ({
  name: `mafalda_${name}`,
  type,
  help,
  values: reading => {
    const value = values(reading)
    return Array.isArray(value) ? value : one(value)
  }
})

const OBJECTS = [...kinds.keys()].filter(kind => kind !== 'mediasoup') as ObjectKind[]

export const rows: readonly Row[] = [
  row('gauge', 'build_info', 'Versions, and the name of the tier in handles; always 1.', built),

  row('gauge', 'connections', 'Open connections of clients.', r => r.entrance.connections),
  row('counter', 'connections_total', 'Connections of clients.', r => r.entrance.connected),
  row('counter', 'refused_total', 'Who was not let in, by reason.', r =>
    labelled('reason', r.entrance.refusals)
  ),
  row('gauge', 'sessions', 'Open sessions.', r => r.condition.sessions),
  row(
    'gauge',
    'sessions_disconnected',
    'Open sessions that have lost their connection.',
    r => r.entrance.disconnected
  ),
  row('counter', 'sessions_opened_total', 'Sessions that began.', r => r.entrance.opened),
  row(
    'counter',
    'sessions_interrupted_total',
    'Times that a session lost its connection.',
    r => r.entrance.interrupted
  ),
  row(
    'counter',
    'sessions_resumed_total',
    'Times that a session went on with another connection.',
    r => r.entrance.resumed
  ),
  row('counter', 'sessions_closed_total', 'Sessions that ended, by reason.', r =>
    labelled('reason', r.entrance.ends)
  ),

  row('counter', 'calls_total', 'Requests of clients, by method and outcome.', r =>
    eachMethod(r, counts => OUTCOMES.map(outcome => [{ outcome }, counts[outcome]]))
  ),
  row('gauge', 'calls_in_flight', 'Requests that were not answered yet.', r =>
    [...r.entrance.calls.byMethod.values()].reduce((sum, each) => sum + inFlight(each), 0)
  ),
  row('histogram', 'call_duration_seconds', 'From a request to its answer, by method.', durations),
  row('counter', 'messages_total', 'Messages from clients (in) and to them (out).', r =>
    labelled('direction', [
      ['in', r.entrance.calls.messagesIn],
      ['out', r.entrance.calls.messagesOut]
    ])
  ),
  row('counter', 'bytes_total', 'Bytes from clients (in) and to them (out).', r =>
    labelled('direction', Object.entries(r.entrance.bytes))
  ),
  row('counter', 'limits_hit_total', 'Times that a client met a limit, by limit.', r =>
    labelled('limit', r.entrance.calls.limits.counts)
  ),
  row('gauge', 'backlog_bytes', 'Bytes that wait for clients.', r => r.condition.backlog),
  row(
    'gauge',
    'memory_budget_used_ratio',
    'The part of --max-memory that sessions keep.',
    r => r.condition.memoryUsed
  ),
  row('gauge', 'overloaded', '1 while no new sessions are taken.', r =>
    Number(r.condition.overloaded)
  ),
  row('gauge', 'draining', '1 while the host drains.', r => Number(r.condition.draining)),

  row('gauge', 'capacity_cores', 'Cores that Workers may use.', r => r.figures?.load.capacity),
  row('gauge', 'used_cores', 'Cores that Workers use.', usedCores),
  row(
    'gauge',
    'workers',
    'Workers.',
    r => r.figures && r.figures.load.workers + r.figures.load.draining
  ),
  row('gauge', 'workers_draining', 'Workers on hosts that drain.', r => r.figures?.load.draining),
  row('gauge', 'routers', 'Routers.', r => r.figures?.load.routers),
  row('gauge', 'consumers', 'Consumers.', r => r.figures?.load.consumers),
  row('gauge', 'children', 'Tiers below, by state.', r =>
    labelled(
      'state',
      CHILD_STATES.flatMap(state => pair(state, r.figures?.children?.[state]))
    )
  ),

  row('gauge', 'wanted_cores', 'Cores that are needed and not there; negative: too many.', r =>
    r.figures?.host ? undefined : r.figures?.load.wanted
  ),
  row('gauge', 'wanted_hosts', 'Hosts that there should be.', r => r.figures?.wanted?.hosts),
  row(
    'gauge',
    'wanted_hosts_hpa',
    'The same, beyond the tolerance of a HorizontalPodAutoscaler.',
    r => r.figures?.wanted?.hpaHosts
  ),
  row('gauge', 'starting_hosts', 'Hosts that were asked for.', r => r.figures?.wanted?.starting),
  row('gauge', 'host_warmup_seconds', 'How long a host took to be there.', r =>
    seconds(r.figures?.wanted?.warmup)
  ),

  row('gauge', 'objects', 'Objects of mediasoup on this host, by kind.', r =>
    labelled(
      'kind',
      OBJECTS.flatMap(kind =>
        pair(kind, r.figures?.host && (r.figures.host.objects.get(kind) ?? 0))
      )
    )
  ),
  row(
    'gauge',
    'busiest_worker_cores',
    'Cores that the Worker uses that uses most.',
    r => r.figures?.host && Math.max(0, ...r.figures.host.cores)
  ),
  row('counter', 'worker_deaths_total', 'Workers that have died.', r => r.figures?.host?.died),
  row('counter', 'pipe_bytes_total', 'Bytes over pipes to this host (in) and from it (out).', r =>
    labelled('direction', [
      ...pair('in', r.figures?.host?.pipes.bytesReceived),
      ...pair('out', r.figures?.host?.pipes.bytesSent)
    ])
  ),
  row(
    'counter',
    'pipe_packets_lost_total',
    'RTP packets that were lost on pipes to this host.',
    r => r.figures?.host?.pipes.packetsLost
  ),

  row(
    'counter',
    'webhook_events_total',
    'Events that applications took, or that were given up.',
    r => labelled('outcome', [...pair('told', r.webhooks?.told), ...pair('dead', r.webhooks?.dead)])
  ),
  row(
    'counter',
    'webhook_failures_total',
    'Attempts to tell an event that failed.',
    r => r.webhooks?.failures
  ),
  row(
    'gauge',
    'webhook_events_waiting',
    'Events that this registry tells and that were not taken yet.',
    r => r.webhooks?.waiting
  )
]

const pair = <K extends string>(name: K, value: number | undefined): (readonly [K, number])[] =>
  value === undefined ? [] : [[name, value]]

const seconds = (ms: number | undefined) => (ms === undefined ? undefined : ms / 1_000)

// The load of a host that drains has none, because nothing is placed there.
function usedCores({ figures }: Reading): number | undefined {
  return figures?.host?.cores.reduce((sum, cores) => sum + cores, 0) ?? figures?.load.used
}

function built({ node = '', figures }: Reading): Value[] {
  const { tier = '', mediasoup = '' } = figures ?? {}
  return [{ value: 1, labels: { version, mediasoup, tier, node } }]
}

/** Of each method that was called. */
function eachMethod(
  { entrance }: Reading,
  valuesOf: (counts: MethodCounts) => (readonly [labels: object, value: number])[]
): Value[] {
  return [...entrance.calls.byMethod].flatMap(([method, counts]) =>
    counts.asked || counts.refused
      ? valuesOf(counts).map(([labels, value]) => ({ value, labels: { method, ...labels } }))
      : []
  )
}

const inFlight = ({ asked, ok, error, unanswered }: MethodCounts) => asked - ok - error - unanswered

function durations({ entrance }: Reading): Value[] {
  return [...entrance.calls.byMethod].flatMap(([method, counts]) => {
    const { ok, error, buckets, sum } = counts
    if (!(ok + error)) return []
    let count = 0
    const within = [...BOUNDS, '+Inf'].map((le, i) => ({
      metricName: 'mafalda_call_duration_seconds_bucket',
      labels: { method, le },
      value: (count += buckets[i]!)
    }))
    const labels = { method }
    return [
      ...within,
      { metricName: 'mafalda_call_duration_seconds_sum', labels, value: sum / 1_000 },
      { metricName: 'mafalda_call_duration_seconds_count', labels, value: count }
    ]
  })
}
