// Issuers of tokens for tests.

import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { SignJWT, exportJWK } from 'jose'

export const AUDIENCE = 'media'
export const ALL = 'observe create operate'

interface Claims {
  [claim: string]: unknown
  scope?: string
  audience?: string
  /** Seconds from now, or undefined for none. */
  expires?: number | undefined
}

const now = () => Date.now() / 1000

const claimsOf = (
  { scope = ALL, audience = AUDIENCE, expires, ...claims }: Claims,
  seconds: number | undefined
) =>
  new SignJWT({
    sub: 'app',
    scope,
    ...claims,
    ...(seconds === undefined ? {} : { exp: now() + seconds })
  }).setAudience(audience)

const secondsOf = (claims: Claims) => ('expires' in claims ? claims.expires : 3600)

/** A secret, and what issues tokens with it. */
export function secretIssuer(secret = randomBytes(32).toString('base64url')) {
  const key = Buffer.from(secret)
  const issue = (claims: Claims = {}, alg = 'HS256') =>
    claimsOf(claims, secondsOf(claims)).setProtectedHeader({ alg }).sign(key)
  return { secret, key, issue }
}

/** A key pair, and what issues tokens with it. */
export async function keyIssuer(kid = 'first') {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const jwk = { ...(await exportJWK(publicKey)), kid, alg: 'ES256' }
  const issue = (claims: Claims = {}) =>
    claimsOf(claims, secondsOf(claims)).setProtectedHeader({ alg: 'ES256', kid }).sign(privateKey)
  return { jwk, pem: publicKey.export({ type: 'spki', format: 'pem' }).toString(), issue }
}
