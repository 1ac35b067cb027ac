// The objects that were announced to a session, and that it may therefore name.

import { type Group, includes } from '../differential/program.ts'

export interface KnownObject {
  handle: string
  kind: string
  of?: string
  members: Record<string, unknown>
}

// The rest stays on the tier, and is closed with the session.
const MAX_OBJECTS = 200

export class SessionView {
  /** Handles of another session, which must be of no use to this one. */
  readonly foreign: readonly string[]
  #objects: KnownObject[] = []
  #serial = 0
  /** How many Workers it has asked for: each is a process. */
  workersAsked = 0

  constructor(foreign: readonly string[] = []) {
    this.foreign = foreign
  }

  get objects(): readonly KnownObject[] {
    return this.#objects
  }

  nextSerial(): number {
    return ++this.#serial
  }

  of(group: Group): KnownObject[] {
    return this.#objects.filter(({ kind }) => includes(group, kind))
  }

  /** Takes what a message announces. */
  hear({ method, result, params }: { method?: string; result?: unknown; params?: unknown[] }) {
    if (method === 'Worker.died') this.forget((params as [string])[0])
    for (const value of [result, ...(params ?? [])]) this.#announced(value)
  }

  // The answer of pipeToRouter() has them one level deeper.
  #announced(value: unknown, depth = 0) {
    if (typeof value !== 'object' || value === null || depth > 3) return
    const {
      $: handle,
      kind,
      of,
      members
    } = value as { $?: string; kind?: string; of?: string; members?: Record<string, unknown> }
    if (handle && kind && members) this.#add({ handle, kind, of, members })
    else if (depth < 3) for (const item of Object.values(value)) this.#announced(item, depth + 1)
  }

  #add(object: KnownObject) {
    this.#objects.push(object)
    if (this.#objects.length > MAX_OBJECTS)
      this.#objects = this.#objects.filter(
        ({ kind }, i) => i > MAX_OBJECTS / 4 || kind === 'Worker' || kind === 'Router'
      )
  }

  /** Removes an object and its descendants. */
  forget(handle: string) {
    const gone = new Set([handle])
    for (const { handle, of } of this.#objects)
      if (of !== undefined && gone.has(of)) gone.add(handle)
    this.#objects = this.#objects.filter(({ handle }) => !gone.has(handle))
  }
}
