// What the numbers of each entry were lately, for curves.

import type { SurveyEntry } from '../lib/survey.ts'

export interface Series {
  label: string
  unit: 'share' | 'bits' | 'count' | 'ms'
  of(entry: SurveyEntry): number | undefined
}

const traffic: Series[] = [
  { label: 'in', unit: 'bits', of: entry => ('bitrateIn' in entry ? entry.bitrateIn : undefined) },
  {
    label: 'out',
    unit: 'bits',
    of: entry => ('bitrateOut' in entry ? entry.bitrateOut : undefined)
  }
]

/** What is drawn for an entry. */
export function seriesOf({ kind }: SurveyEntry): Series[] {
  switch (kind) {
    case 'tier':
      return [{ label: 'cores in use', unit: 'share', of: useOf }]
    case 'Worker':
      return [{ label: 'CPU', unit: 'share', of: useOf }]
    case 'Router':
      return [
        {
          label: 'Consumers',
          unit: 'count',
          of: entry => (entry as { consumers: number }).consumers
        }
      ]
    case 'session':
      return [
        { label: 'objects', unit: 'count', of: entry => (entry as { objects: number }).objects }
      ]
    case 'AudioLevelObserver':
    case 'ActiveSpeakerObserver':
    case 'DataProducer':
    case 'DataConsumer':
      return []
    default:
      return traffic
  }
}

/** The share of its cores that something uses; undefined where nobody knows. */
export function useOf(entry: SurveyEntry): number | undefined {
  if (entry.kind === 'Worker') return entry.cpu
  if (entry.kind !== 'tier' || entry.problem !== undefined) return undefined
  const { capacity, used } = entry.load
  return capacity > 0 ? Math.min(1, used / capacity) : undefined
}

// Three minutes, if something changes each second.
const POINTS = 180

export interface Curve {
  /** ms since 1970 */
  times: number[]
  /** One list for each series. */
  values: (number | undefined)[][]
}

export class History {
  readonly #curves = new Map<string, Curve>()

  record(at: number, entries: Iterable<SurveyEntry>) {
    for (const entry of entries) this.#add(at, entry)
  }

  forget(ids: Iterable<string>) {
    for (const id of ids) this.#curves.delete(id)
  }

  of(id: string): Curve | undefined {
    return this.#curves.get(id)
  }

  #add(at: number, entry: SurveyEntry) {
    const series = seriesOf(entry)
    if (!series.length) return
    let curve = this.#curves.get(entry.id)
    if (!curve) this.#curves.set(entry.id, (curve = { times: [], values: series.map(() => []) }))
    if (curve.times.at(-1)! >= at) return
    curve.times.push(at)
    series.forEach(({ of }, i) => curve.values[i]!.push(of(entry)))
    if (curve.times.length <= POINTS) return
    curve.times.shift()
    for (const values of curve.values) values.shift()
  }
}
