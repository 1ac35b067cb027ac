// Spoils messages: their values before they are encoded, and their text afterwards.

import type { Frame } from '../../lib/tier.ts'
import { hostileValue } from './hostile.ts'
import type { SessionView } from './session-view.ts'
import type { Random } from './random.ts'

/** Stands in a message for what only JSON text can say, until it is written. */
export const MARK = '\u0001hostile\u0001'

/** Replaces, removes or adds a value. */
export function spoil(value: unknown, random: Random): unknown {
  if (typeof value !== 'object' || value === null || random.oneIn(6)) return MARK
  const entries = Object.entries(value)
  if (!entries.length) return Array.isArray(value) ? [MARK] : { [MARK]: MARK }
  const [name, item] = random.pick(entries)
  if (Array.isArray(value))
    return random.oneIn(10)
      ? [...value, MARK]
      : value.toSpliced(Number(name), 1, ...(random.oneIn(8) ? [] : [spoil(item, random)]))
  if (random.oneIn(10))
    return { ...value, [random.pick(['__proto__x', 'constructor', 'id', 'appData', MARK])]: MARK }
  if (random.oneIn(8)) return Object.fromEntries(entries.filter(([key]) => key !== name))
  return { ...value, [name]: spoil(item, random) }
}

/** Puts hostile values for the marks in a text. */
export const unmark = (text: string, random: Random, known: SessionView) =>
  text
    .replaceAll(`${JSON.stringify(MARK)}:`, () =>
      random.pick(['"__proto__":', '"constructor":', '"$":', '"":'])
    )
    .replaceAll(JSON.stringify(MARK), () => hostileValue(random, known))

const CHARACTERS = [...'{}[]",:\\/0-e ', '\u0000', 'é', '\ufeff', '"id"', '\\u', '{"$":']

/** Replaces or removes characters. */
export function garble(frame: Frame, random: Random): Frame {
  const at = random.below(frame.length)
  if (typeof frame !== 'string')
    return random.oneIn(3) ? frame.subarray(0, at) : Buffer.from(frame.with(at, random.below(256)))
  const text =
    frame.slice(0, at) +
    (random.oneIn(3)
      ? ''
      : (random.oneIn(4) ? '' : random.pick(CHARACTERS)) + frame.slice(at + random.below(3)))
  // A socket cannot send half of a surrogate pair: the tier would answer another id.
  return text.toWellFormed()
}
