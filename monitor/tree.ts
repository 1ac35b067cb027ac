// The entries of all surveys as one tree: what is part of what.

import type {
  SurveyChanges,
  SurveyedRouter,
  SurveyedTier,
  SurveyedTransport,
  SurveyedWorker,
  SurveyEntry
} from '../lib/survey.ts'

export type Kind = SurveyEntry['kind']
export type EntryOf<K extends Kind> = K extends SurveyedTransport['kind']
  ? SurveyedTransport
  : Extract<SurveyEntry, { kind: K }>

const NONE: ReadonlySet<string> = new Set()

export class Tree {
  readonly #entries = new Map<string, SurveyEntry>()
  readonly #children = new Map<string, Set<string>>()
  #root: string | undefined
  /** How many PipeTransports there are: to look for none takes no time. */
  #pipes = 0

  get size() {
    return this.#entries.size
  }

  get entries(): ReadonlyMap<string, SurveyEntry> {
    return this.#entries
  }

  get root(): SurveyedTier | undefined {
    return this.#root === undefined ? undefined : (this.get(this.#root) as SurveyedTier)
  }

  get(id: string | null | undefined): SurveyEntry | undefined {
    return id == null ? undefined : this.#entries.get(id)
  }

  apply({ changed, gone }: Pick<SurveyChanges, 'changed' | 'gone'>) {
    for (const id of gone) this.#remove(id)
    for (const entry of changed) this.#put(entry)
  }

  children(id: string): SurveyEntry[] {
    return Array.from(this.#children.get(id) ?? NONE, child => this.#entries.get(child)!)
  }

  childrenOf<K extends Kind>(id: string, kind: K): EntryOf<K>[] {
    return this.children(id).filter(entry => entry.kind === kind) as EntryOf<K>[]
  }

  /** All that is below, and itself, parents first. */
  below(id: string): SurveyEntry[] {
    const root = this.get(id)
    const found = root ? [root] : []
    for (const { id } of found)
      for (const child of this.#children.get(id) ?? NONE) found.push(this.#entries.get(child)!)
    return found
  }

  /** What an entry is part of, the root first, and itself last. */
  path(id: string): SurveyEntry[] {
    const path: SurveyEntry[] = []
    const seen = new Set<string>()
    for (let entry = this.get(id); entry && !seen.has(entry.id); entry = this.get(entry.of)) {
      seen.add(entry.id)
      path.unshift(entry)
    }
    return path
  }

  /** The nearest of a kind that an entry is part of, or is. */
  nearest<K extends Kind>(id: string | null | undefined, kind: K): EntryOf<K> | undefined {
    for (let entry = this.get(id); entry; entry = this.get(entry.of))
      if (entry.kind === kind) return entry as EntryOf<K>
    return undefined
  }

  hostOf(id: string): SurveyedTier | undefined {
    return this.nearest(id, 'tier')
  }

  workerOf(id: string): SurveyedWorker | undefined {
    return this.nearest(id, 'Worker')
  }

  /** Whose a session is: the one on the tier that is highest. */
  ownerOf(session: string): SurveyEntry | undefined {
    let entry = this.get(session)
    while (entry?.kind === 'session' && this.get(entry.above)) entry = this.get(entry.above)
    return entry
  }

  /** The hosts: leaves, and tiers that cannot be asked what they are. */
  hosts(id: string): SurveyedTier[] {
    const tiers = this.childrenOf(id, 'tier')
    const self = this.get(id)
    if (!tiers.length) return self?.kind === 'tier' ? [self] : []
    return tiers.flatMap(tier => this.hosts(tier.id))
  }

  /** The Routers that pipes join: those of one room. */
  room(id: string): SurveyedRouter[] {
    const found = new Map<string, SurveyedRouter>()
    const queue = [id]
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      const router = this.get(next)
      if (router?.kind !== 'Router' || found.has(next)) continue
      found.set(next, router)
      for (const pipe of this.childrenOf(next, 'PipeTransport')) {
        const other = this.nearest(pipe.peer, 'Router')
        if (other) queue.push(other.id)
      }
    }
    return [...found.values()]
  }

  /** The pipes below, each once, by one of its ends. */
  pipes(id: string): Pipe[] {
    const pipes: Pipe[] = []
    if (!this.#pipes) return pipes
    for (const entry of this.below(id)) {
      if (entry.kind !== 'PipeTransport') continue
      const other = this.get(entry.peer) as SurveyedTransport | undefined
      if (!other || entry.id < other.id) pipes.push({ one: entry, other })
    }
    return pipes
  }

  #put(entry: SurveyEntry) {
    const before = this.#entries.get(entry.id)
    if (before && before.of !== entry.of) this.#detach(before)
    this.#entries.set(entry.id, entry)
    if (!before && entry.kind === 'PipeTransport') this.#pipes++
    if (entry.of === null) this.#root = entry.id
    else this.#siblings(entry.of).add(entry.id)
  }

  #remove(id: string) {
    const entry = this.#entries.get(id)
    if (!entry) return
    this.#detach(entry)
    this.#entries.delete(id)
    if (entry.kind === 'PipeTransport') this.#pipes--
    if (this.#root === id) this.#root = undefined
  }

  #detach({ id, of }: SurveyEntry) {
    if (of === null) return
    const siblings = this.#siblings(of)
    siblings.delete(id)
    if (!siblings.size) this.#children.delete(of)
  }

  #siblings(of: string): Set<string> {
    const there = this.#children.get(of)
    if (there) return there
    const made = new Set<string>()
    this.#children.set(of, made)
    return made
  }
}

export interface Pipe {
  one: SurveyedTransport
  /** Undefined where it is not in the survey. */
  other: SurveyedTransport | undefined
}

export const bitrateOf = ({ one }: Pipe) => (one.bitrateIn ?? 0) + (one.bitrateOut ?? 0)
