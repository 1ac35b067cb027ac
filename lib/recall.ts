// What a session has, told again after a tier between its client and its leaves was replaced.
//
//   → {"id": 31, "method": "tier.recall", "params": [{"nodes": ["k3x"], "members": ["id"]}]}
//   ← {"method": "tier.recalled", "params": [{"id": 31, "entries": [["k3x/1", "Worker", null, {}, {}], …], "done": ["k3x"]}]}
//   ← {"id": 31, "result": {"count": 1}}

import { once } from 'node:events'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Announcement } from './codec.ts'
import { ProtocolError, codes } from './errors.ts'
import { nodeOf } from './frame-header.ts'
import { type ObjectKind, kinds } from './methods.ts'
import type { Frame, Handle, Id } from './frame.ts'
import type { Link } from './tier.ts'
import { encodeNotification } from './wire.ts'

/** The parameter of `tier.recall`. */
export interface RecallOptions {
  /** The nodes whose objects are to be told: those before the `/` of handles. */
  nodes: string[]
  /** Names of fixed members that are to be told, or `appData`. */
  members?: string[]
}

/** An object; `live` are its live members, without those that are undefined. */
export type Entry = [
  handle: Handle,
  kind: ObjectKind,
  of: Handle | null,
  live: Record<string, unknown>,
  members?: Record<string, unknown>
]

/** The parameter of `tier.recalled`. */
export interface Recalled {
  /** Of the request. */
  id: Id
  /** Parents first. */
  entries: Entry[]
  /** The nodes of which all objects have been told. */
  done?: string[]
}

// A frame has at most 256 KiB: this is what entries take of it. A tier in between may write longer
// handles.
const MAX_ENTRIES_BYTES = 208 * 1024
// Whoever reads too slowly is told the rest when this much has left.
const MAX_BACKLOG_BYTES = 256 * 1024
// So many are told before the clock is looked at.
const ENTRIES_PER_LOOK = 32

/** @throws ProtocolError for what is no parameter of `tier.recall` */
export function recallOptions([options]: unknown[]): Required<RecallOptions> {
  const { nodes, members = [] } = Object(options) as Partial<RecallOptions>
  if (!isListOfNames(nodes) || !isListOfNames(members)) {
    throw new ProtocolError(codes.params, 'tier.recall takes {nodes, members}: two lists of names')
  }
  return { nodes: [...new Set(nodes)], members }
}

const isListOfNames = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every(name => typeof name === 'string')

/**
 * Tells objects in frames of at most 256 KiB, no faster than the link takes them, and answers how
 * many there were.
 *
 * @param entries is asked for each object when it is told, because objects change and close
 *   meanwhile
 * @param turn how long others wait at a time, in ms; only for entries that are made when they are
 *   asked for
 */
export async function tellEntries(
  link: Link,
  send: (frame: Frame) => void,
  id: Id,
  entries: Iterable<Entry>,
  done: string[],
  turn = Infinity
): Promise<number> {
  const closed = new AbortController()
  const onClose = () => closed.abort()
  link.once('close', onClose)
  let [part, bytes, count] = [[] as string[], 0, 0]
  let begun = performance.now()
  for (const entry of entries) {
    const text = JSON.stringify(entry)
    const length = Buffer.byteLength(text)
    if (part.length && bytes + length > MAX_ENTRIES_BYTES) {
      flush()
      if (!closed.signal.aborted && link.bufferedAmount > MAX_BACKLOG_BYTES) {
        await once(link, 'drain', { signal: closed.signal }).catch(() => {}) // It was closed.
      }
      if (closed.signal.aborted) return count
    }
    part.push(text)
    bytes += length + 1
    count++
    if (count % ENTRIES_PER_LOOK || performance.now() - begun < turn) continue
    // What happens while others have their turn is newer than what is told before it.
    flush()
    await nextTurn()
    if (closed.signal.aborted) return count
    begun = performance.now()
  }
  send(frameOf(id, part, done))
  link.off('close', onClose)
  return count

  function flush() {
    send(frameOf(id, part))
    ;[part, bytes] = [[], 0]
  }
}

// As encodeRecalled() has it.
const frameOf = (id: Id, entries: string[], done?: string[]) =>
  `{"jsonrpc":"2.0","method":"tier.recalled","params":[{"id":${JSON.stringify(id)},"entries":[${entries.join()}]${done ? `,"done":${JSON.stringify(done)}` : ''}}]}`

export const encodeRecalled = (recalled: Recalled) =>
  encodeNotification('tier.recalled', [recalled])

/** An entry as an announcement: as far as its members were asked for. */
export function announcementOf(entry: Entry): Announcement {
  const [$, kind, of, live, { appData, ...fixed } = {}] = entry
  return {
    $,
    kind,
    of: of ?? undefined,
    appData: appData as Record<string, unknown> | undefined,
    members: { ...fixed, ...live }
  }
}

/** The inverse, for somebody who asked for some members. */
export function entryOf(
  { $, kind, of, appData, members }: Announcement,
  names: readonly string[]
): Entry {
  const all: Record<string, unknown> = { ...members, appData }
  const { live } = kinds.get(kind)!
  const some = (names: readonly string[]) =>
    Object.fromEntries(names.filter(name => all[name] != null).map(name => [name, all[name]]))
  return [$, kind, of ?? null, some(live), some(names.filter(name => !live.includes(name)))]
}

/** An entry for somebody who asked for fewer members. */
export function narrowed(entry: Entry, names: ReadonlySet<string>): Entry {
  const [handle, kind, of, live, members] = entry
  if (!members || !names.size) return [handle, kind, of, live]
  const wanted = Object.entries(members).filter(([name]) => names.has(name))
  return [handle, kind, of, live, Object.fromEntries(wanted)]
}

/** The nodes of handles, each once. */
export const nodesOf = (handles: Iterable<Handle>) => new Set([...handles].map(nodeOf))
