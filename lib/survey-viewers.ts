// Who looks at a tier, and what each was told. Costs nothing while nobody does; who look at the
// same cost little more than one.

import { describeError } from './errors.ts'
import type { Frame } from './frame.ts'
import type { Survey, SurveyChanges, SurveyEntry } from './survey.ts'
import { type Look, lookOf } from './survey-options.ts'
import { changesBetween } from './survey-changes.ts'
import { pick } from './survey-view.ts'
import type { Link } from './tier.ts'
import { type Id, encodeFailure, encodeNotification, encodeResult } from './wire.ts'

const INTERVAL_MS = 1_000
// So that what one tier tells once a second is told on by the next one as it comes.
const LEAST_MS = 900

/** What is looked at. */
export interface SurveySource {
  /**
   * What is looked at is something else than before; without looks, nothing is. Resolves when there
   * is something to tell.
   */
  look(looks: readonly Look[]): Promise<void> | void
  /** Parents first. */
  entries(): Iterable<SurveyEntry>
}

type Told = ReadonlyMap<string, SurveyEntry>

interface Viewer {
  look: Look
  /** Who look at the same have the same. */
  key: string
  /** Undefined until it was told something. */
  told: Told | undefined
}

export class SurveyViewers {
  readonly #source: SurveySource
  readonly #viewers = new Map<Link, Viewer>()
  #interval: NodeJS.Timeout | undefined
  #timer: NodeJS.Timeout | undefined
  #toldAt = -Infinity

  constructor(source: SurveySource) {
    this.#source = source
  }

  /** What anybody was told of, for those who look at it at this moment. */
  get told(): Set<Told> {
    return new Set([...this.#viewers.values()].flatMap(({ told }) => told ?? []))
  }

  /**
   * Answers `tier.survey`, and tells what changes, until the link is closed or another one is asked
   * for.
   */
  async view(link: Link, id: Id, options: unknown) {
    try {
      const viewer = this.#enter(link, lookOf(options))
      const { views, most, subscribe } = viewer.look
      await this.#look()
      if (!this.#viewers.has(link)) return // It was closed in the meantime.
      const told = pick(this.#source.entries(), views, most)
      const survey: Survey = { at: Date.now(), entries: [...told.values()] }
      link.send(encodeResult(id, survey), { id })
      if (subscribe) viewer.told = told
      else if (this.#viewers.get(link) === viewer) this.#leave(link)
    } catch (error) {
      link.send(encodeFailure(id, describeError(error)), { id })
    }
  }

  #enter(link: Link, look: Look): Viewer {
    const key = JSON.stringify([look.views, look.most])
    const viewer: Viewer = { look, key, told: undefined }
    if (!this.#viewers.has(link)) link.once('close', () => this.#leave(link))
    this.#viewers.set(link, viewer)
    return viewer
  }

  /** Something has changed: told at once, unless something was told a moment ago. */
  changed() {
    if (!this.#viewers.size) return
    const wait = Math.max(0, this.#toldAt + LEAST_MS - performance.now())
    this.#timer ??= setTimeout(() => this.#tell(), wait).unref()
  }

  #leave(link: Link) {
    if (this.#viewers.delete(link)) void this.#look()
  }

  async #look() {
    const looks = [...this.#viewers.values()].map(({ look }) => look)
    if (looks.length) {
      this.#interval ??= setInterval(() => this.#tick(), INTERVAL_MS).unref()
    } else {
      clearInterval(this.#interval)
      clearTimeout(this.#timer)
      this.#interval = this.#timer = undefined
    }
    await this.#source.look(looks)
  }

  #tick() {
    if (performance.now() - this.#toldAt >= LEAST_MS) this.changed()
  }

  // ← {"method": "tier.survey", "params": [{"at": 1700000000000, "changed": […], "gone": ["k3x/31"]}]}
  #tell() {
    this.#timer = undefined
    this.#toldAt = performance.now()
    // For others it would have to wait: they are told later, what is true then.
    const ready = [...this.#viewers].filter(([link, { told }]) => told && link.bufferedAmount === 0)
    if (!ready.length) return
    const entries = [...this.#source.entries()]
    const views = new Map<string, { now: Told; frames: Map<Told, Frame | undefined> }>()
    for (const [link, viewer] of ready) {
      const { key, look, told } = viewer
      let view = views.get(key)
      if (!view)
        views.set(key, (view = { now: pick(entries, look.views, look.most), frames: new Map() }))
      const { now, frames } = view
      if (!frames.has(told!)) frames.set(told!, frameOf(told!, now))
      viewer.told = now
      const frame = frames.get(told!)
      if (frame !== undefined) link.send(frame)
    }
  }
}

function frameOf(before: Told, now: Told): Frame | undefined {
  const { changed, gone } = changesBetween(before, now)
  if (!changed.length && !gone.length) return undefined
  const changes: SurveyChanges = { at: Date.now(), changed, gone }
  return encodeNotification('tier.survey', [changes])
}
