// Which entries of a tree are in a view, and what has changed in it.

import {
  SURVEY_DETAILS,
  type SurveyDetail,
  type SurveyEntry,
  type SurveyedRest,
  type Traffic
} from './survey.ts'

/** A part of the tree, with all that is by default. */
export interface View {
  detail: SurveyDetail
  under: string | undefined
  limit: number
}

type Kind = Exclude<SurveyEntry['kind'], 'rest'>

const DETAIL_OF = {
  tier: 'tiers',
  session: 'tiers',
  Worker: 'workers',
  Router: 'routers',
  WebRtcTransport: 'transports',
  PlainTransport: 'transports',
  PipeTransport: 'transports',
  DirectTransport: 'transports',
  Producer: 'all',
  Consumer: 'all',
  DataProducer: 'all',
  DataConsumer: 'all',
  AudioLevelObserver: 'all',
  ActiveSpeakerObserver: 'all'
} as const satisfies Record<Kind, SurveyDetail>

export const levelOf = (detail: SurveyDetail) => SURVEY_DETAILS.indexOf(detail)

const LEVELS: ReadonlyMap<string, number> = new Map(
  Object.entries(DETAIL_OF).map(([kind, detail]) => [kind, levelOf(detail)])
)
const BEYOND = SURVEY_DETAILS.length

/** The level of a kind; that of one of a later version is the last. */
export const levelOfKind = (kind: string) => LEVELS.get(kind) ?? BEYOND - 1

/** What an entry counts as: what is told together counts as what it stands for. */
const kindOf = (entry: SurveyEntry) => (entry.kind === 'rest' ? entry.rest : entry.kind)

/**
 * What is in any of the views, the worst of each kind and parent one by one, and the others
 * together. Limits become lower until there are not more than `most` in all.
 *
 * @param entries parents first
 */
export function pick(
  entries: Iterable<SurveyEntry>,
  views: readonly View[],
  most: number
): Map<string, SurveyEntry> {
  const groups = grouped(entries, views)
  for (let part = 1; ; part /= 2) {
    const picked = bounded(groups, part)
    if (picked.size <= most || part < LEAST_PART) return picked
  }
}

// Of any limit that is one less than one.
const LEAST_PART = 1e-6

/** What is of one kind and one parent. */
interface Group {
  of: string | null
  kind: string
  /** The largest of the views that it is in. */
  limit: number
  entries: SurveyEntry[]
  /** Those that a view is under: they are told in any case. */
  named: Set<SurveyEntry>
}

/** In the order of the entries: the group of a parent comes before those of its children. */
function grouped(entries: Iterable<SurveyEntry>, views: readonly View[]): Iterable<Group> {
  const scopes = views.map(({ detail, under, limit }) => ({
    level: levelOf(detail),
    limit,
    under,
    below: new Set<string>()
  }))
  const isUnder = scopes.some(({ under }) => under !== undefined)
  const groups = new Groups()
  for (const entry of entries) {
    const { id, of } = entry
    const kind = kindOf(entry)
    const level = levelOfKind(kind)
    let limit = -1
    for (const scope of scopes) {
      const isThere =
        scope.under === undefined || scope.under === id || (of !== null && scope.below.has(of))
      if (!isThere) continue
      if (scope.under !== undefined) scope.below.add(id)
      if (level <= scope.level) limit = Math.max(limit, scope.limit)
    }
    if (limit < 0) continue
    const group = groups.of(of, kind)
    group.limit = Math.max(group.limit, limit)
    group.entries.push(entry)
    if (isUnder && scopes.some(({ under }) => under === id)) group.named.add(entry)
  }
  return groups.all
}

class Groups {
  readonly all: Group[] = []
  readonly #known = new Map<string | null, Map<string, Group>>()
  #last: Group | undefined

  /** Siblings mostly come one after the other. */
  of(of: string | null, kind: string): Group {
    if (this.#last?.of === of && this.#last.kind === kind) return this.#last
    return (this.#last = this.#find(of, kind))
  }

  #find(of: string | null, kind: string): Group {
    const siblings = this.#known.get(of) ?? new Map<string, Group>()
    this.#known.set(of, siblings)
    const known = siblings.get(kind)
    if (known) return known
    const group: Group = { of, kind, limit: 0, entries: [], named: new Set() }
    siblings.set(kind, group)
    this.all.push(group)
    return group
  }
}

function bounded(groups: Iterable<Group>, part: number): Map<string, SurveyEntry> {
  const picked = new Map<string, SurveyEntry>()
  const cut = new Set<string>()
  for (const group of groups) {
    const { of, kind, limit, entries, named } = group
    const isCut = of !== null && cut.has(of)
    const most = of === null ? Infinity : isCut ? 0 : Math.floor(limit * part)
    if (entries.length <= most) {
      for (const entry of entries) picked.set(entry.id, entry)
      continue
    }
    const told = worstOf(group, Math.max(most, named.size))
    for (const entry of told) picked.set(entry.id, entry)
    const others = entries.filter(entry => !told.has(entry))
    for (const { id } of others) cut.add(id)
    if (isCut || !others.length) continue
    const rest = restOf(of!, kind, others)
    picked.set(rest.id, rest)
  }
  return picked
}

const worstOf = ({ entries, named }: Group, count: number): Set<SurveyEntry> =>
  new Set(
    entries
      .filter(entry => entry.kind !== 'rest')
      .sort(
        (one, other) => Number(named.has(other)) - Number(named.has(one)) || worseFirst(one, other)
      )
      .slice(0, count)
  )

function restOf(of: string, kind: string, entries: readonly SurveyEntry[]): SurveyedRest {
  const rest: SurveyedRest = { id: `${of}/rest/${kind}`, of, kind: 'rest', rest: kind, count: 0 }
  for (const entry of entries) {
    rest.count += entry.kind === 'rest' ? entry.count : 1
    for (const key of SUMS) {
      const value = (entry as Partial<Traffic>)[key]
      if (value !== undefined) rest[key] = (rest[key] ?? 0) + value
    }
  }
  return rest
}

const SUMS = ['bitrateIn', 'bitrateOut', 'packetsLost'] as const

/** Those with the lowest score, then those that carry most, or are most used. */
const worseFirst = (one: SurveyEntry, other: SurveyEntry) =>
  healthOf(one) - healthOf(other) || weightOf(other) - weightOf(one)

const PERFECT = 10

function healthOf(entry: SurveyEntry): number {
  switch (entry.kind) {
    case 'tier':
      return entry.problem === undefined ? PERFECT : -1
    case 'Worker':
      return entry.died ? -1 : PERFECT
    case 'WebRtcTransport':
      return isBroken(entry.iceState) || isBroken(entry.dtlsState) ? 0 : PERFECT
    case 'Producer':
    case 'Consumer':
      return entry.score ?? PERFECT
    default:
      return PERFECT
  }
}

const isBroken = (state?: string) => state === 'disconnected' || state === 'failed'

function weightOf(entry: SurveyEntry): number {
  switch (entry.kind) {
    case 'tier':
      return entry.load.used
    case 'session':
      return entry.objects
    case 'Worker':
      return entry.cpu ?? 0
    case 'Router':
      return entry.consumers
    default: {
      const { bitrateIn = 0, bitrateOut = 0 } = entry as Partial<Traffic>
      return bitrateIn + bitrateOut
    }
  }
}
