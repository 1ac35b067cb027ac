// Compares a release of mediasoup with the model, and names every difference.

import * as errors from 'mediasoup/errors'

import { model } from '../../lib/model.ts'
import { findFolder, manifest } from '../release.ts'
import type { Shape } from './declarations.ts'
import { declaredSurface, errorNames, liveSurface, type Surface } from './surface.ts'

export interface DriftEntry {
  /** A kind of the model, or `errors` for the classes of errors. */
  kind: string
  /** Absent when it is the kind itself that was added or dropped. */
  name?: string
  what: 'kind' | 'member' | 'event' | 'error'
  /** Seen from the model: `added` is in the release only, `dropped` in the model only. */
  change: 'added' | 'dropped' | 'changed'
  /** For `changed`: what the model has, and what the release has. */
  model?: string
  release?: string
  /** Where it shows: in the release's declared types, in its classes at run time, or in both. */
  seen: ('types' | 'runtime')[]
}

export interface Drift {
  mediasoup: string
  entries: DriftEntry[]
}

/**
 * Compares a release of mediasoup with the model that this version of mafalda has of it.
 *
 * @param wanted a version, which npm installs in a folder of its own, or a package's folder;
 *   default: the installed one
 * @example
 * ```ts
 * const { entries } = await drift('3.19.0')
 * // [{ kind: 'PlainTransport', what: 'member', name: 'sctpNegotiatedCapabilities', change: 'dropped', … }, …]
 * ```
 */
export async function drift(wanted?: string): Promise<Drift> {
  const folder = await findFolder(wanted)
  const entries: DriftEntry[] = []
  for (const [where, surface] of [
    ['types', declaredSurface(folder)],
    ['runtime', liveSurface(folder)]
  ] as const) {
    for (const difference of compare(surface)) {
      const known = entries.find(entry => sameEntry(entry, difference))
      if (known) known.seen.push(where)
      else entries.push({ ...difference, seen: [where] })
    }
  }
  for (const difference of compareErrors(errorNames(folder)))
    entries.push({ ...difference, seen: ['runtime'] })
  return { mediasoup: manifest(folder).version, entries }
}

type Difference = Omit<DriftEntry, 'seen'>

/**
 * What the members and events of each role look like in mediasoup; a hidden member may be anything,
 * or absent.
 */
const shapes: Record<string, Shape> = {
  fixed: 'property',
  live: 'property',
  query: 'async method',
  call: 'async method',
  create: 'async method',
  cast: 'method',
  media: 'method',
  local: 'method'
}
const emitters: Record<string, string[]> = {
  self: ['self', 'both'],
  both: ['both'],
  media: ['self', 'both'],
  end: ['self'],
  observer: ['observer'],
  new: ['observer'],
  local: ['self', 'observer', 'both']
}

function compare(release: Map<string, Surface>): Difference[] {
  const kinds: [string, { members: Record<string, string>; events: Record<string, string> }][] =
    Object.entries(model)
  const added = [...release.keys()].filter(kind => !Object.hasOwn(model, kind))
  return [
    ...added.map(kind => ({ kind, what: 'kind', change: 'added' }) as const),
    ...kinds.flatMap(([kind, { members, events }]): Difference[] => {
      const surface = release.get(kind)
      if (!surface) return [{ kind, what: 'kind', change: 'dropped' }]
      return [
        ...compareMembers(kind, members, surface),
        ...(surface.events ? compareEvents(kind, events, surface.events) : [])
      ]
    })
  ]
}

function compareMembers(
  kind: string,
  rows: Record<string, string>,
  { members, internal }: Surface
): Difference[] {
  const expected = new Map(Object.entries(rows).map(([name, role]) => [name, shapes[role]]))
  return differences(
    { kind, what: 'member' },
    expected,
    members,
    (shape, actual) => !shape || shape === actual
  ).filter(({ name = '', change }) => change !== 'added' || !internal.has(name))
}

function compareEvents(
  kind: string,
  rows: Record<string, string>,
  events: NonNullable<Surface['events']>
): Difference[] {
  return differences(
    { kind, what: 'event' },
    new Map(Object.entries(rows)),
    events,
    (role, emitter) => !!emitters[role]?.includes(emitter)
  )
}

// The model has no rows for errors: the classes are those of the mediasoup that this package
// depends on.
function compareErrors(release: string[]): Difference[] {
  const known = new Map(
    Object.keys(errors)
      .filter(name => /^[A-Z]/.test(name))
      .map(name => [name, name])
  )
  return differences(
    { kind: 'errors', what: 'error' },
    known,
    new Map(release.map(name => [name, name])),
    () => true
  )
}

function differences<R extends string | undefined, A extends string>(
  subject: { kind: string; what: 'member' | 'event' | 'error' },
  rows: Map<string, R>,
  actual: Map<string, A>,
  agree: (row: R, actual: A) => boolean
): Difference[] {
  const added = [...actual.keys()].filter(name => !rows.has(name))
  return [
    ...added.map(name => ({ ...subject, name, change: 'added' as const })),
    ...[...rows].flatMap(([name, row]): Difference[] => {
      const found = actual.get(name)
      if (found === undefined)
        return row === undefined ? [] : [{ ...subject, name, change: 'dropped' }]
      return agree(row, found)
        ? []
        : [{ ...subject, name, change: 'changed', model: `${row}`, release: found }]
    })
  ]
}

function sameEntry(a: Difference, b: Difference): boolean {
  return (
    a.kind === b.kind &&
    a.what === b.what &&
    a.name === b.name &&
    a.change === b.change &&
    a.release === b.release
  )
}
