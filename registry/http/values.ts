// What requests bring, checked: each error says what is allowed, and what there was.

import { Problem } from '../../lib/http-routes.ts'

const MAX_QUOTED = 64

/** Text as a sentence quotes it. */
const quoted = (value: unknown) => {
  const text = JSON.stringify(value) ?? 'nothing'
  return text.length > MAX_QUOTED ? `${text.slice(0, MAX_QUOTED)}…` : text
}

export const wrong = (rule: string, value: unknown) =>
  new Problem(400, `${rule} (got ${quoted(value)})`)

/** An object that has no other members than these. */
export function membersOf(
  value: unknown,
  what: string,
  names: readonly string[]
): Record<string, unknown> {
  if (!isObject(value)) throw wrong(`${what} must be an object`, value)
  const unknown = Object.keys(value).find(name => !names.includes(name))
  if (unknown !== undefined) throw wrong(`${what} may have ${names.join(', ')}`, unknown)
  return value
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const HOST = /^[A-Za-z0-9._:-]{1,128}$/
// Also such as `\p{C}` has: halves of characters, which no UTF-8 has.
const ROOM = /^[^\p{C}]{1,256}$/u
const LABEL = /^[A-Za-z0-9._/-]{1,64}$/
const VALUE = /^[^\p{C}]{0,128}$/u
const MAX_LABELS = 32

export function hostIdOf(value: unknown): string {
  if (typeof value === 'string' && HOST.test(value)) return value
  throw wrong('the id of a host has 1 to 128 of the characters A–Z a–z 0–9 . _ : -', value)
}

export function roomIdOf(value: unknown): string {
  if (typeof value === 'string' && ROOM.test(value)) return value
  throw wrong(
    'the id of a room has 1 to 256 characters, none of which is a control character',
    value
  )
}

export function labelsOf(value: unknown): Record<string, string> | undefined {
  if (value === undefined) return undefined
  if (!isObject(value)) throw wrong('labels must be an object', value)
  const entries = Object.entries(value)
  if (entries.length > MAX_LABELS) throw wrong(`there may be ${MAX_LABELS} labels`, entries.length)
  for (const [name, text] of entries) {
    if (!LABEL.test(name))
      throw wrong('the name of a label has 1 to 64 of the characters A–Z a–z 0–9 . _ / -', name)
    if (typeof text !== 'string' || !VALUE.test(text))
      throw wrong(`the label ${name} must be a string of at most 128 characters`, text)
  }
  return value as Record<string, string>
}

export function numberOf(value: unknown, what: string): number {
  if (typeof value === 'number' && Number.isFinite(value) && value >= 0) return value
  throw wrong(`${what} must be a number from 0 up`, value)
}

const SCHEMES = ['ws:', 'wss:', 'http:', 'https:']

/** Of a tier, or of an application server. */
export function urlOf(value: unknown): string {
  const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined
  if (!url || !SCHEMES.includes(url.protocol))
    throw wrong('the url must be like wss://host:port, or https://host of an application', value)
  // Not what it is: that ends up in logs.
  if (url.username || url.password) throw new Problem(400, 'the url must have no credentials in it')
  if (url.hash || url.href.length > 2_048)
    throw new Problem(400, 'the url has at most 2048 characters, and no fragment')
  return value as string
}

const MAX_PAGE = 1_000
const PAGE = 100

export interface Page {
  limit: number
  /** The last one of the page before. */
  after: string | undefined
}

export function pageOf(query: URLSearchParams): Page {
  const limit = query.get('limit') ?? String(PAGE)
  if (!/^\d{1,4}$/.test(limit) || +limit < 1 || +limit > MAX_PAGE)
    throw wrong(`limit must be a whole number from 1 to ${MAX_PAGE}`, limit)
  return { limit: Number(limit), after: query.get('after') ?? undefined }
}

export const pageQuery = {
  limit: { type: 'integer', minimum: 1, maximum: MAX_PAGE, default: PAGE },
  after: { type: 'string', description: 'The next of the page before' }
} as const

/**
 * One page of what is in no order, and may be there twice; with the name to ask for the next page
 * by, if there is more. No more is kept than is answered.
 */
export async function pageIn<T>(
  all: Iterable<T> | AsyncIterable<T>,
  { limit, after }: Page,
  nameOf: (one: T) => string
): Promise<{ page: T[]; next: string | undefined }> {
  const kept = new Map<string, T>()
  for await (const one of all) {
    const name = nameOf(one)
    if (after !== undefined && name <= after) continue
    kept.set(name, one)
    if (kept.size >= 4 * (limit + 1)) trim(kept, limit + 1)
  }
  trim(kept, limit + 1)
  const page = [...kept.values()].slice(0, limit)
  return { page, next: kept.size > limit ? nameOf(page.at(-1)!) : undefined }
}

/** Leaves the first ones, in order. */
function trim<T>(kept: Map<string, T>, count: number) {
  const sorted = [...kept].toSorted(([one], [other]) => (one < other ? -1 : 1)).slice(0, count)
  kept.clear()
  for (const [name, one] of sorted) kept.set(name, one)
}
