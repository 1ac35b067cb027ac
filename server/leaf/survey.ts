// What a leaf tells of itself in a survey: its Workers, and what all sessions have on them.

import type { Handle } from '../../lib/frame.ts'
import { ProcessHealth } from '../../lib/process-health.ts'
import type { Whose } from '../../lib/session-info.ts'
import type {
  SurveyEntry,
  SurveyedRouter,
  SurveyedSession,
  SurveyedTransport
} from '../../lib/survey.ts'
import type { Look } from '../../lib/survey-options.ts'
import { matchPipes } from '../../lib/survey-pipes.ts'
import { levelOf, levelOfKind } from '../../lib/survey-view.ts'
import { type SurveySource, SurveyViewers } from '../../lib/survey-viewers.ts'
import { sessionIdOf, surveyedSession, surveyedTier } from '../../lib/surveyed-tier.ts'
import type { Drain } from './drain.ts'
import type { LoadMeter } from './load-meter.ts'
import type { ServedObject } from './served-object.ts'
import { StatSampler, hasStats } from './stat-sampler.ts'
import { type Sampled, surveyed } from './surveyed.ts'
import { SurveyedWorkers } from './surveyed-workers.ts'

/** A session, as far as it is told. */
export interface SurveyedParty {
  readonly name: string
  readonly since: number
  readonly whose: Whose | undefined
  readonly objects: {
    readonly all: ReadonlyMap<Handle, ServedObject>
    readonly workers: ReadonlySet<ServedObject>
    readonly pipes: ReadonlySet<ServedObject>
  }
}

interface Facts {
  node: string
  mediasoup: string
  meter: LoadMeter
  drain: Drain
}

/** How an object was told, and what that came from. */
interface Known {
  happened: number
  sampled: Sampled | undefined
  peer: string | undefined
  entry: SurveyEntry
}

const ROUTER = levelOfKind('Router')

export class LeafSurvey implements SurveySource {
  readonly viewers = new SurveyViewers(this)
  readonly sessions = new Set<SurveyedParty>()
  readonly #facts: Facts
  readonly #health = new ProcessHealth()
  readonly #workers: SurveyedWorkers
  readonly #sampler = new StatSampler(() => this.#viewed())
  #known = new WeakMap<ServedObject, Known>()
  // How far is looked everywhere, and below some.
  #level = -1
  #under = new Map<string, number>()

  constructor(facts: Facts) {
    this.#facts = facts
    this.#workers = new SurveyedWorkers(facts.node, facts.meter, () => this.viewers.changed())
  }

  look(looks: readonly Look[]) {
    const views = looks.flatMap(({ views }) => views)
    this.#level = -1
    this.#under = new Map()
    for (const { detail, under } of views) {
      const level = levelOf(detail)
      if (under === undefined || under === this.#facts.node)
        this.#level = Math.max(this.#level, level)
      else this.#under.set(under, Math.max(this.#under.get(under) ?? -1, level))
    }
    if (!looks.length) return this.#stop()
    this.#health.start()
    if (views.some(({ detail }) => levelOf(detail) > ROUTER)) this.#sampler.start()
    else this.#sampler.stop()
  }

  #stop() {
    this.#health.stop()
    this.#sampler.stop()
    this.#known = new WeakMap()
    this.#workers.clear()
  }

  *entries(): Generator<SurveyEntry> {
    const { node, mediasoup, meter, drain } = this.#facts
    yield surveyedTier({
      node,
      tier: 'leaf',
      mediasoup,
      load: meter.load,
      health: this.#health.read(),
      draining: meter.draining ? { deadline: drain.due } : undefined
    })
    for (const session of this.sessions) {
      const entry = this.#sessionOf(session)
      if (entry) yield entry
    }
    const workers = this.#workers.update(this.#owned())
    yield* this.#workers.entries()
    const pipes = this.#pipes()
    for (const session of this.sessions) yield* this.#objectsOf(session, workers, pipes)
  }

  /** One of this process is told when it has something. */
  #sessionOf({ name, since, whose, objects }: SurveyedParty): SurveyedSession | undefined {
    const facts = whose?.()
    const { node } = this.#facts
    const { size } = objects.all
    if (facts) return surveyedSession(node, { ...facts, objects: size })
    if (!size) return undefined
    return { id: sessionIdOf(node, name), of: node, kind: 'session', since, objects: size }
  }

  #idOf({ name, whose }: SurveyedParty) {
    return sessionIdOf(this.#facts.node, whose?.()?.id ?? name)
  }

  *#owned() {
    for (const party of this.sessions)
      for (const worker of party.objects.workers) yield { worker, session: this.#idOf(party) }
  }

  *#objectsOf(
    party: SurveyedParty,
    workers: ReadonlyMap<string, string>,
    pipes: ReadonlyMap<string, string>
  ): Generator<SurveyEntry> {
    const session = this.#idOf(party)
    const routers = new Map<ServedObject, SurveyedRouter>()
    const below: SurveyEntry[] = []
    for (const object of party.objects.all.values()) {
      const { kind, handle } = object
      if (kind === 'Worker' || kind === 'WebRtcServer') continue
      if (kind === 'Router') {
        const of = workers.get(object.root.handle)!
        routers.set(object, { id: handle, of, kind, session, ...NOTHING })
        continue
      }
      countIn(routers, object)
      if (!this.#isLookedAt(object, workers)) continue
      const entry = this.#entryOf(object, pipes.get(handle))
      if (!entry) continue
      below.push(entry)
    }
    yield* routers.values()
    yield* below
  }

  /** The same as before, unless something has happened: mediasoup copies most of what it is asked for. */
  #entryOf(object: ServedObject, peer: string | undefined): SurveyEntry | undefined {
    const { happened, handle } = object
    const sampled = this.#sampler.of(handle)
    const known = this.#known.get(object)
    if (known?.happened === happened && known.sampled === sampled && known.peer === peer)
      return known.entry
    const entry = surveyed(object, sampled)
    if (!entry) return undefined
    const told = peer === undefined ? entry : { ...(entry as SurveyedTransport), peer }
    this.#known.set(object, { happened, sampled, peer, entry: told })
    return told
  }

  #isLookedAt(object: ServedObject, workers: ReadonlyMap<string, string>): boolean {
    const level = levelOfKind(object.kind)
    if (level <= this.#level) return true
    if (!this.#under.size) return false
    for (let each: ServedObject | undefined = object; each; each = each.parent) {
      const id = workers.get(each.handle) ?? each.handle
      if (level <= (this.#under.get(id) ?? -1)) return true
    }
    return false
  }

  /** The other end of each pipe within this host. */
  #pipes(): Map<string, string> {
    const pipes = [...this.sessions].flatMap(({ objects }) => [...objects.pipes])
    return matchPipes(pipes.map(pipe => surveyed(pipe, undefined) as SurveyedTransport))
  }

  /** What has statistics, and is told to somebody. */
  *#viewed(): Generator<ServedObject> {
    const views = [...this.viewers.told]
    for (const { objects } of this.sessions)
      for (const object of objects.all.values())
        if (hasStats(object.kind) && views.some(told => told.has(object.handle))) yield object
  }
}

const NOTHING = { transports: 0, producers: 0, consumers: 0 }

/** Counts what is on a Router. Parents are known first. */
function countIn(
  routers: ReadonlyMap<ServedObject, SurveyedRouter>,
  { kind, parent }: ServedObject
) {
  const isTransport = kind.endsWith('Transport')
  const router = routers.get(isTransport ? parent! : parent!.parent!)
  if (!router) return
  if (isTransport) router.transports++
  else if (kind === 'Producer') router.producers++
  else if (kind === 'Consumer') router.consumers++
}
