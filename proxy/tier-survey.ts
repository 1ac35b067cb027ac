// What a proxy tells in a survey: itself, its sessions, and what its children tell. These are asked
// only while somebody looks, and once for all who do.

import type { Handle } from '../lib/frame.ts'
import type { Load } from '../lib/load.ts'
import { ProcessHealth } from '../lib/process-health.ts'
import type { Whose } from '../lib/session-info.ts'
import type { SurveyEntry, SurveyOptions, SurveyView, SurveyedTier } from '../lib/survey.ts'
import type { Look } from '../lib/survey-options.ts'
import { matchPipes } from '../lib/survey-pipes.ts'
import { levelOf } from '../lib/survey-view.ts'
import { type SurveySource, SurveyViewers } from '../lib/survey-viewers.ts'
import { sessionIdOf, surveyedSession, surveyedTier } from '../lib/surveyed-tier.ts'
import type { Child } from './horizontal/child.ts'
import { aboveOf } from './surveyed-sessions.ts'

/** A session on the proxy, as far as it is told. */
export interface SurveyedParty {
  readonly whose: Whose | undefined
  /** Its Workers and Routers on tiers below. */
  surveyedHandles(): Iterable<Handle>
}

interface Facts {
  node: string
  tier: SurveyedTier['tier']
  load(): Load
  children(): Iterable<Child>
}

// How long who begins to look waits for children that do not answer.
const PATIENCE_MS = 2_000
// What a child is asked for at least, of what is asked for in all.
const LEAST_SHARE = 500
const MAX_SHARE = 20_000
const MAX_VIEWS = 17

export class TierSurvey implements SurveySource {
  readonly viewers = new SurveyViewers(this)
  readonly sessions = new Set<SurveyedParty>()
  readonly #facts: Facts
  readonly #health = new ProcessHealth()
  #looks: readonly Look[] = []

  constructor(facts: Facts) {
    this.#facts = facts
  }

  async look(looks: readonly Look[]) {
    this.#looks = looks
    if (looks.length) this.#health.start()
    else this.#health.stop()
    const answers = this.#ask()
    if (!looks.length || !answers.length) return
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>(resolve => {
      timer = setTimeout(resolve, PATIENCE_MS)
    })
    await Promise.race([Promise.all(answers), late])
    clearTimeout(timer)
  }

  /** Asks each child for what there is to be looked at; also one that has come since. */
  #ask(): Promise<void>[] {
    const children = [...this.#facts.children()]
    const changed = () => this.viewers.changed()
    return children.flatMap(
      child => child.survey.look(this.#optionsFor(child, children), changed) ?? []
    )
  }

  #optionsFor(child: Child, children: readonly Child[]): SurveyOptions | undefined {
    const views = this.#viewsFor(child, children)
    if (!views.length) return undefined
    const most = Math.max(...this.#looks.map(({ most }) => most))
    // All together they may have twice of what is told of them.
    const share = Math.max(LEAST_SHARE, Math.ceil((2 * most) / children.length))
    const isAll = views.every(({ under }) => under === undefined)
    const [first, ...also] = views.length > MAX_VIEWS ? [oneOf(views)] : views
    return { ...first, also, most: Math.min(MAX_SHARE, isAll ? share : Math.max(share, most)) }
  }

  /** What is under something that a child has told, no other one is asked for. */
  #viewsFor(child: Child, children: readonly Child[]): SurveyView[] {
    const views = new Map<string, SurveyView>()
    for (const { detail, under, limit } of this.#looks.flatMap(({ views }) => views)) {
      const isAll = under === undefined || under === this.#facts.node
      const isHere =
        isAll ||
        child.survey.entries.has(under) ||
        !children.some(({ survey }) => survey.entries.has(under))
      const view = isAll ? { detail, limit } : { detail, under, limit }
      if (isHere) views.set(JSON.stringify(view), view)
    }
    return [...views.values()]
  }

  *entries(): Generator<SurveyEntry> {
    this.#ask()
    const { node, tier, load } = this.#facts
    const children = [...this.#facts.children()]
    const mediasoup = children.find(({ hello }) => hello)?.hello?.mediasoup
    yield surveyedTier({ node, tier, mediasoup, load: load(), health: this.#health.read() })
    const owners = new Map<Handle, string>()
    for (const session of this.sessions) {
      const facts = session.whose?.()
      if (!facts) continue
      yield surveyedSession(node, facts)
      for (const handle of session.surveyedHandles())
        owners.set(handle, sessionIdOf(node, facts.id))
    }
    const below = children.flatMap(child => this.#entriesOf(child))
    const above = aboveOf(below, owners)
    const peers = matchPipes(
      below.filter(entry => entry.kind === 'PipeTransport' && entry.peer === undefined)
    )
    for (const entry of below) {
      const [peer, owner] = [peers.get(entry.id), above.get(entry.id)]
      if (entry.kind === 'PipeTransport' && peer !== undefined) yield { ...entry, peer }
      else if (entry.kind === 'session' && owner !== undefined) yield { ...entry, above: owner }
      else yield entry
    }
  }

  #entriesOf({ survey, tier, hello, load, lost, refusal, keyName }: Child): SurveyEntry[] {
    const [first, ...others] = survey.entries.values()
    const told = first?.kind === 'tier' && first.of === null ? first : undefined
    const problem = lost ? 'its connection is lost, and is tried again' : survey.problem
    const known: SurveyedTier = told ?? {
      id: hello?.node ?? keyName,
      of: null,
      kind: 'tier',
      tier: hello?.proxy ? 'horizontal' : 'leaf',
      mafalda: hello?.mafalda,
      mediasoup: hello?.mediasoup,
      load
    }
    const entry = {
      ...known,
      of: this.#facts.node,
      name: tier.name,
      problem: problem ?? (refusal && `it gets no Workers: it ${refusal}`)
    }
    if (problem !== undefined) return [entry]
    return told || !first ? [entry, ...others] : [entry, first, ...others]
  }
}

/** The view that covers all others: the whole tree, to the deepest detail that was asked for. */
const oneOf = (views: readonly SurveyView[]): SurveyView =>
  views.reduce(({ detail: one, limit }, { detail: other, limit: more }) => ({
    detail: levelOf(one!) > levelOf(other!) ? one : other,
    limit: Math.max(limit!, more!)
  }))
