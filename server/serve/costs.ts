// What messages cost of the rate of their session: one each, and more where they take more time.
// Derived from the two models.

import type { MethodRow } from '../../lib/methods.ts'
import { tierMethods } from '../../lib/tier-model.ts'
import type { Frame } from '../../lib/tier.ts'

// To parse so many characters takes as long as a small message does in all,
const CHARACTERS_READ = 16 * 1024
// and so does it to make an answer of so many, or to tell of so many objects.
const CHARACTERS_WRITTEN = 4 * 1024
const OBJECTS_TOLD = 4

// A packet, or a message of bytes, is passed on without a look at its bytes.
const PAYLOAD = 1 / 100

/** What any message costs. The bytes of a binary frame are not read. */
export const costOf = (frame: Frame) =>
  typeof frame === 'string' ? 1 + frame.length / CHARACTERS_READ : PAYLOAD

/** What a method of the tier costs beside that. */
export const costOfMethod = (method: string) => (tierMethods.get(method)?.sent?.cost ?? 1) - 1

/** Whether its answers cost, too: what changes nothing may be asked for again and again. */
export const isAnswerPaid = (method: string, row: MethodRow | undefined) =>
  row ? row.role === 'query' : tierMethods.has(method)

export const costOfAnswer = (frame: Frame) => frame.length / CHARACTERS_WRITTEN

/** What it costs to tell of all objects that there are. */
export const costOfRecall = (objects: number) => objects / OBJECTS_TOLD
