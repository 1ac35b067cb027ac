// Calls as an application makes them: arguments from the differential test's generators, on the
// objects that the session has.

import fc from 'fast-check'
import { calls } from '../differential/calls.ts'
import { type Ref, type Template, isBytes, isRef } from '../differential/program.ts'
import { isAnswered, methods } from '../../lib/methods.ts'
import type { SessionView, KnownObject } from './session-view.ts'
import type { Random } from './random.ts'

export interface Call {
  method: string
  params: unknown[]
  /** Whether mediasoup's own is asynchronous: the others are sent as notifications. */
  answered: boolean
}

const SAMPLES = 40
const MAX_WORKERS = 4

interface Source {
  on: Ref['ref']
  member: string
  samples: Template[][]
}

/** Each as often as programs have it. */
function sourcesOf(seed: number): Source[] {
  return calls
    .filter(({ member }) => [...methods.values()].some(row => row.member === member))
    .flatMap(({ on, member, weight, args }) =>
      Array<Source>(weight).fill({
        on,
        member,
        samples: fc.sample(args, { seed, numRuns: SAMPLES })
      })
    )
}

export class Calls {
  readonly #sources: Source[]

  constructor(seed: number) {
    this.#sources = sourcesOf(seed)
  }

  next(random: Random, known: SessionView): Call {
    const hasWorker = known.of('Worker').length > 0
    if (
      !known.workersAsked ||
      (known.workersAsked < MAX_WORKERS && random.oneIn(hasWorker ? 1_000 : 20))
    ) {
      known.workersAsked++
      return { method: 'mediasoup.createWorker', params: [{ logLevel: 'none' }], answered: true }
    }
    for (let tries = 0; tries < 20; tries++) {
      const source = random.pick(this.#sources)
      const target = latest(random, known.of(source.on))
      const row = target && methods.get(`${target.kind}.${source.member}`)
      if (!row || (target.kind === 'Worker' && source.member === 'close' && !random.oneIn(10)))
        continue
      if (source.member === 'close') known.forget(target.handle)
      const args = random.pick(source.samples).map(arg => materialize(arg, random, known))
      return {
        method: `${target.kind}.${source.member}`,
        params: [target.handle, ...args],
        answered: isAnswered(row.role)
      }
    }
    return {
      method: 'tier.locate',
      params: [known.objects[0]?.handle ?? 'nobody/1'],
      answered: true
    }
  }
}

// The last ones are more likely to be there still.
const latest = (random: Random, objects: KnownObject[]): KnownObject | undefined =>
  objects.at(-1 - random.below(Math.min(objects.length, 8)))

function materialize(template: Template, random: Random, known: SessionView): unknown {
  if (typeof template !== 'object' || template === null) return template
  if (Array.isArray(template)) return template.map(item => materialize(item, random, known))
  if (isBytes(template)) return Buffer.from(template.bytes, 'hex')
  if (!isRef(template))
    return Object.fromEntries(
      Object.entries(template as { [key: string]: Template }).map(([key, value]) => [
        key,
        materialize(value, random, known)
      ])
    )
  const object = latest(random, known.of(template.ref))
  if (template.get) return object?.members[template.get] ?? 'nobody'
  return { $: object?.handle ?? 'nobody/1' }
}
