// mediasoup's objects, and what JSON has no word for, within arguments, results and events: encoded
// as handles on one end, decoded on the other.
//
//   object, at its first mention   {"$": "k3x/31", "kind": "Consumer", "of": "k3x/17", "members": {…}}
//   object, from then on           {"$": "k3x/31"}
//   error                          {"$": "error", "code": …, "message": …, "data": {"name": …}}
//   bigint                         {"$": "bigint", "value": "…"}

import { ProtocolError, codes, describeError, reviveError } from './errors.ts'
import type { ObjectKind } from './methods.ts'
import type { Failure, Handle } from './frame.ts'

export interface Reference {
  $: Handle
}

/**
 * The first mention of an object: whose child it is, its fixed and live members, and the creator's
 * appData, verbatim.
 */
export interface Announcement extends Reference {
  kind: ObjectKind
  of?: Handle
  appData?: Record<string, unknown>
  members: Record<string, unknown>
}

/**
 * Stands for an object that is gone: arrays leave it out, and an event about nothing else is
 * dropped.
 */
export const GONE = Symbol('gone')

// mediasoup's deepest argument nests 7 levels.
const MAX_DEPTH = 32

export function encodeValue(
  value: unknown,
  refer: (object: object) => Reference | undefined
): unknown {
  if (typeof value === 'bigint') return { $: 'bigint', value: String(value) }
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return value
  const reference = refer(value)
  if (reference) return reference
  if (value instanceof Error) return { $: 'error', ...describeError(value) }
  if (Array.isArray(value)) return value.map(item => encodeValue(item, refer))
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, encodeValue(item, refer)])
  )
}

/**
 * The inverse of encodeValue, in place. `resolve` answers GONE, or throws, for a reference that it
 * does not know.
 */
export function decodeValue(
  value: unknown,
  resolve: (reference: Reference) => unknown,
  depth = 0
): unknown {
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return value
  if (depth > MAX_DEPTH)
    throw new ProtocolError(codes.params, `arguments nest at most ${MAX_DEPTH} levels deep`)
  if ('$' in value) return decodeTagged(value as Reference, resolve)
  if (Array.isArray(value)) return decodeArray(value, resolve, depth)
  return decodeObject(value as Record<string, unknown>, resolve, depth)
}

function decodeTagged(
  value: Reference & { value?: unknown },
  resolve: (reference: Reference) => unknown
) {
  if (value.$ === 'error') return reviveError(value as unknown as Failure)
  if (value.$ === 'bigint') return decodeBigint(value.value)
  return resolve(value)
}

// No integer of mediasoup has more than 64 bits; parsing very many digits would take very long.
function decodeBigint(value: unknown): bigint {
  if (typeof value !== 'string' || !/^-?\d{1,20}$/.test(value))
    throw new ProtocolError(codes.params, 'a bigint has at most 20 digits')
  return BigInt(value)
}

function decodeArray(array: unknown[], resolve: (reference: Reference) => unknown, depth: number) {
  let gone = false
  for (let i = 0; i < array.length; i++) {
    if (typeof array[i] !== 'object') continue
    array[i] = decodeValue(array[i], resolve, depth + 1)
    gone ||= array[i] === GONE
  }
  if (!gone) return array
  const rest = array.filter(item => item !== GONE)
  return rest.length ? rest : GONE
}

function decodeObject(
  object: Record<string, unknown>,
  resolve: (reference: Reference) => unknown,
  depth: number
) {
  for (const key of Object.keys(object)) {
    if (key === 'appData') continue // The application's, whatever is in it.
    if (key === '__proto__')
      throw new ProtocolError(codes.params, 'arguments have no member "__proto__"')
    const value = object[key]
    if (typeof value !== 'object') continue
    const decoded = decodeValue(value, resolve, depth + 1)
    if (decoded === GONE) return GONE
    if (decoded !== value) object[key] = decoded
  }
  return object
}
