// The keys that tokens are verified with: a shared secret, or public keys. What cannot be meant,
// such as a private key, is refused with a sentence that quotes nothing of it.

import { type KeyObject, createPublicKey, createSecretKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { JSONWebKeySet, JWK, JWTVerifyGetKey } from 'jose'

// RFC 7518, 3.2
const MIN_SECRET_BYTES = 32
export const SYMMETRIC = ['HS256', 'HS384', 'HS512']
export const ASYMMETRIC = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519'
]

export interface KeySources {
  secret?: string | Buffer | undefined
  keys?: string | Buffer | undefined
}

const PRIVATE =
  'the keys of tokens are public ones: this is a private key, which only the issuer of tokens may have'

/**
 * @param mayBeEmpty whether there may be no key: an operator withdraws all tokens so, but does not
 *   start like that
 */
export function readKeys(
  { secret, keys }: KeySources,
  jose: typeof import('jose'),
  mayBeEmpty: boolean
): JWTVerifyGetKey {
  if (secret !== undefined) return always(createSecretKey(secretBytes(read(secret))))
  const text = read(keys!).toString()
  if (/^\s*[[{]/.test(text)) return jose.createLocalJWKSet(keySetOf(text, mayBeEmpty))
  if (text.includes('PRIVATE KEY')) throw new TypeError(PRIVATE)
  return always(createPublicKey(text))
}

const read = (source: string | Buffer) =>
  typeof source === 'string' ? readFileSync(source) : source

const always =
  (key: KeyObject): JWTVerifyGetKey =>
  async () =>
    key

// Editors and `echo` end the last line; that is not part of the secret.
function secretBytes(contents: Buffer): Buffer {
  const bytes = Buffer.from(contents.toString('latin1').replace(/\r?\n$/, ''), 'latin1')
  if (bytes.length < MIN_SECRET_BYTES)
    throw new TypeError(
      `the secret of tokens has at least ${MIN_SECRET_BYTES} bytes (it has ${bytes.length})`
    )
  return bytes
}

function keySetOf(text: string, mayBeEmpty: boolean): JSONWebKeySet {
  const { keys } = Object(parse(text)) as { keys?: unknown }
  if (!Array.isArray(keys))
    throw new TypeError('the keys of tokens are PEM, or a set of JSON Web Keys: {"keys": […]}')
  const all = keys.map(key => Object(key) as JWK)
  if (all.some(({ d, k }) => d !== undefined || k !== undefined)) throw new TypeError(PRIVATE)
  if (!all.some(verifies) && !(mayBeEmpty && !all.length))
    throw new TypeError(
      `the keys of tokens have none that verifies signatures: "use" is "sig", "key_ops" has "verify", "alg" is one of ${ASYMMETRIC.join(', ')} (there are ${all.length} keys)`
    )
  return { keys: all }
}

const verifies = ({ kty, use = 'sig', key_ops = ['verify'], alg = ASYMMETRIC[0]! }: JWK) =>
  typeof kty === 'string' &&
  use === 'sig' &&
  Array.isArray(key_ops) &&
  key_ops.includes('verify') &&
  ASYMMETRIC.includes(alg)

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Its own message quotes the text.
    throw new TypeError('the keys of tokens begin like JSON, and are none')
  }
}
