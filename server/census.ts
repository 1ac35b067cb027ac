// Which objects a session makes and closes, as far as frames tell: those that the client creates, those that mediasoup creates
// itself (pipeToRouter), and all that ends.

import type { Announcement, Reference } from '../lib/codec.ts'
import { LimitError, codes } from '../lib/errors.ts'
import { type Head, kept } from '../lib/head.ts'
import { type MethodRow, type ObjectKind, kinds, methods } from '../lib/methods.ts'
import type { Recalled } from '../lib/recall.ts'
import type { Frame } from '../lib/tier.ts'
import { type Handle, decode } from '../lib/wire.ts'
import { type Group, type SessionLimits, groupOf } from './limits.ts'
import { Tally } from './tally.ts'

/** What the answer to a request may bring. */
export interface Expected {
  groups: readonly Group[]
  kind: ObjectKind | undefined
  on: Handle | undefined
  server: Handle | undefined
}

type CallHead = Head & { method: string }

const PIPE_TO_ROUTER = 'Router.pipeToRouter'
const RESULT = /"result":\{"\$":"([^"\\]+)"/

/** What each method makes. pipeToRouter tells by events what it has made. */
const made: ReadonlyMap<string, { groups: readonly Group[]; kind?: ObjectKind }> = new Map<string, { groups: readonly Group[]; kind?: ObjectKind }>([
  ...[...methods].filter(([, { role }]) => role === 'create').map(([method, row]) => {
    const kind = kindMadeBy(row)
    return [method, { groups: [groupOf(kind)], kind }] as const
  }),
  [PIPE_TO_ROUTER, { groups: ['transports', 'transports', 'producers', 'consumers'] }]
])

function kindMadeBy({ member }: MethodRow): ObjectKind {
  const kind = member.startsWith('create') ? member.slice('create'.length) : `${member.endsWith('Data') ? 'Data' : ''}${member.startsWith('produce') ? 'Producer' : 'Consumer'}`
  return kind as ObjectKind
}

// Events that announce an object, and those after which one is no more.
const changes = new Map<string, 'birth' | 'end'>([['Worker.subprocessclose', 'end']])
for (const { kind, events } of kinds.values()) {
  for (const [event, role] of events) {
    if (role === 'new') changes.set(`${kind}.${event}`, 'birth')
    if (role === 'end' || event === 'routerclose') changes.set(`${kind}.${event}`, 'end')
  }
  changes.set(`${kind}.close`, 'end')
}

export class Census {
  readonly #tally = new Tally()
  // What was told of nodes that are not told to the end yet.
  readonly #recalledHandles = new Set<Handle>()

  /** Throws a LimitError when the session has enough of what it asks for. */
  asked({ method, handle }: CallHead, frame: Frame, limits: SessionLimits): Expected | undefined {
    const making = made.get(method)
    if (!making) return undefined
    const { groups, kind } = making
    for (const group of groups) {
      const wanted = groups.filter(other => other === group).length
      if (this.#tally.count(group) + wanted > limits[group]) throw new LimitError(codes.objects, `a session has at most ${limits[group]} ${group}`)
    }
    for (const group of groups) this.#tally.reserve(group)
    return { groups, kind, on: kind && kind !== 'Worker' ? kept(handle ?? '') : undefined, server: kind === 'WebRtcTransport' ? serverIn(frame) : undefined }
  }

  answered({ groups, kind, on, server }: Expected, frame: Frame) {
    for (const group of groups) this.#tally.release(group)
    const [, handle] = (kind && RESULT.exec(frame as string)) || []
    if (handle === undefined) return
    this.#tally.add(kept(handle), kind!, on)
    if (server !== undefined) this.#tally.attach(handle, server)
  }

  // ← {"method": "tier.recalled", "params": [{"id": 31, "entries": [["k3x/1", "Worker", null, {}]], "done": ["k3x"]}]}
  #recalled({ entries, done = [] }: Recalled) {
    for (const [handle, kind, of] of entries) {
      this.#recalledHandles.add(handle)
      this.#tally.add(handle, kind, of ?? undefined)
    }
    this.#tally.retain(new Set(done), this.#recalledHandles)
  }

  /** The client closes an object. */
  closed({ kind }: MethodRow, handle: Handle | undefined) {
    if (handle !== undefined) this.#tally.remove(handle, kind)
  }

  /** The tier tells something. */
  told({ method, handle }: CallHead, frame: Frame) {
    if (method === 'tier.recalled') return this.#recalled((decode(frame) as unknown as { params: [Recalled] }).params[0])
    const change = changes.get(method)
    if (change === 'birth') {
      const { params: [on, , announcement] } = decode(frame) as unknown as { params: [Handle, unknown, Partial<Announcement> | undefined] }
      if (announcement?.kind) this.#tally.add(announcement.$!, announcement.kind, on)
    } else if (change === 'end' && handle !== undefined) {
      this.#tally.remove(handle, method.slice(0, method.indexOf('.')))
    }
  }
}

function serverIn(frame: Frame): Handle | undefined {
  if (!(frame as string).includes('"webRtcServer"')) return undefined
  const { params: [, options] } = decode(frame) as unknown as { params: [Handle, { webRtcServer?: Partial<Reference> } | null | undefined] }
  return typeof options?.webRtcServer?.$ === 'string' ? options.webRtcServer.$ : undefined
}
