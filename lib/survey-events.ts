// What has happened in a tree, from what has changed in its survey: hosts, Workers and sessions that
// come and go. Whoever is told less than all of them misses some, and is told of others twice.

import type {
  SurveyChanges,
  SurveyEntry,
  SurveyedSession,
  SurveyedTier,
  SurveyedWorker
} from './survey.ts'

export type SurveyEventName =
  | 'host up'
  | 'host lost'
  | 'host draining'
  | 'host drain cancelled'
  | 'worker started'
  | 'worker died'
  | 'worker closed'
  | 'session opened'
  | 'session lost'
  | 'session resumed'
  | 'session ended'

export interface SurveyEvent {
  /** In ms since 1970. */
  at: number
  event: SurveyEventName
  /** Of the entry that it is about. */
  id: string
  /** The tier that it is, or is on: its URL, or its node. */
  host: string
  /** Why a host is lost. */
  reason?: string
  pid?: number
  subject?: string
  address?: string
}

type Entries = ReadonlyMap<string, SurveyEntry>
type Happened = Omit<SurveyEvent, 'at' | 'id' | 'host'>

/** @param before what was told before these changes */
export function eventsIn(before: Entries, { at, changed, gone }: SurveyChanges): SurveyEvent[] {
  const now = new Map(changed.map(entry => [entry.id, entry]))
  const left = new Set(gone)
  const nowOf = (id: string | null) =>
    id === null || left.has(id) ? undefined : (now.get(id) ?? before.get(id))
  /** With a host that is lost or comes back, all that it has goes and comes. */
  const isThere = (tier: string | null) => {
    const [was, is] = [before.get(tier!), nowOf(tier)]
    return isUp(was) && isUp(is)
  }
  const ids = [...gone.filter(id => !now.has(id)), ...now.keys()]
  return ids.flatMap(id => {
    const [was, is] = [before.get(id), nowOf(id)]
    const entry = (is ?? was)!
    if (entry === undefined) return []
    const host = entry.kind === 'tier' ? entry : (nowOf(entry.of) ?? before.get(entry.of!))
    const isWith = entry.kind === 'tier' || isThere(entry.of)
    return isWith
      ? happened(was, is).map(what => ({ at, ...what, id, host: nameOf(host, entry) }))
      : []
  })
}

const isUp = (entry?: SurveyEntry) => entry?.kind === 'tier' && entry.problem === undefined

const nameOf = (tier: SurveyEntry | undefined, { of, id }: SurveyEntry) =>
  tier?.kind === 'tier' ? (tier.name ?? tier.id) : (of ?? id)

function happened(was: SurveyEntry | undefined, is: SurveyEntry | undefined): Happened[] {
  switch ((is ?? was)!.kind) {
    case 'tier':
      return ofTier(was as SurveyedTier | undefined, is as SurveyedTier | undefined)
    case 'Worker':
      return ofWorker(was as SurveyedWorker | undefined, is as SurveyedWorker | undefined)
    case 'session':
      return ofSession(was as SurveyedSession | undefined, is as SurveyedSession | undefined)
    default:
      return []
  }
}

const GONE = 'it is not a part of the tree any more'

function ofTier(was?: SurveyedTier, is?: SurveyedTier): Happened[] {
  const [wasUp, up] = [isUp(was), isUp(is)]
  const events: Happened[] = []
  if (up && !wasUp) events.push({ event: 'host up' })
  if (!up && (wasUp || !was)) events.push({ event: 'host lost', reason: is?.problem ?? GONE })
  if (is?.draining && !was?.draining) events.push({ event: 'host draining' })
  if (up && wasUp && was?.draining && !is?.draining) events.push({ event: 'host drain cancelled' })
  return events
}

function ofWorker(was?: SurveyedWorker, is?: SurveyedWorker): Happened[] {
  const { pid } = (is ?? was)!
  if (is?.died) return was?.died ? [] : [{ event: 'worker died', pid }]
  if (!was) return [{ event: 'worker started', pid }]
  return is || was.died ? [] : [{ event: 'worker closed', pid }]
}

function ofSession(was?: SurveyedSession, is?: SurveyedSession): Happened[] {
  const { subject, address } = (is ?? was)!
  const whose = {
    ...(subject !== undefined && { subject }),
    ...(address !== undefined && { address })
  }
  if (!is) return [{ event: 'session ended', ...whose }]
  if (!was) return [{ event: 'session opened', ...whose }]
  if (is.lost && !was.lost) return [{ event: 'session lost', ...whose }]
  if (was.lost && !is.lost) return [{ event: 'session resumed', ...whose }]
  return []
}
