// Verifies tokens, and reads what they allow.

import type { JWTPayload } from 'jose'
import type { Logger } from 'pino'
import { AccessError, codes } from '../../lib/errors.ts'
import { SCOPES, type Scope } from '../../lib/scopes.ts'
import type { Named } from './deny-list.ts'
import { type WatchedFiles, warnOfReaders, watchFiles } from './files.ts'
import { type SessionLimits, checkLimits, sessionDefaults } from './limits.ts'
import { ASYMMETRIC, SYMMETRIC, readKeys } from './token-keys.ts'

export interface TokenOptions {
  /**
   * The secret shared with the issuer of tokens (HS256, HS384, HS512), of 32 bytes or more: the
   * path of a file, or its contents as a Buffer.
   */
  secret?: string | Buffer
  /**
   * The public keys of the issuer of tokens, as JWKS, or one key as PEM: the path of a file, or its
   * contents as a Buffer.
   */
  keys?: string | Buffer
  /** The `aud` that tokens must have. */
  audience: string
  /** The `iss` that tokens must have. Default: any. */
  issuer?: string
  /** How long a session with an expired token lives on, in ms, to be renewed. Default 30 s. */
  grace?: number
  /** The longest that tokens may be valid, from `iat`, or else from now, in ms. Default 24 h. */
  maxLife?: number
  /** Refuses tokens without a `sub`. Default false: all of these are one subject. */
  requireSubject?: boolean
}

/** What a token allows, or a certificate. */
export interface Grant {
  /** What allows it, for errors. */
  of: 'token' | 'certificate' | 'token with its certificate'
  subject: string | undefined
  /** The `jti` of the token. */
  tokenId: string | undefined
  /** The claim `realm` of the token: see realm.ts. */
  realm?: string | undefined
  scopes: ReadonlySet<Scope>
  limits: Partial<SessionLimits>
  /** When it expires, in ms since 1970. */
  expires: number
}

export interface Tokens extends WatchedFiles {
  readonly grace: number
  /** Rejects with an AccessError that says what is wrong with the token, without quoting it. */
  verify(token: string): Promise<Grant>
}

const DAY_MS = 24 * 60 * 60 * 1000
// The clocks of an issuer and a tier differ.
const CLOCKS_MS = 60_000
const MAX_SUBJECT = 256

/**
 * @param check throws an AccessError for whoever is denied
 * @throws when the secret or the keys cannot be read or used.
 */
export async function createTokens(
  options: TokenOptions,
  logger: Logger,
  check: (who: Named) => void = () => {}
): Promise<Tokens> {
  const { secret, keys, audience, issuer, grace = 30_000 } = options
  const { maxLife = DAY_MS, requireSubject = false } = options
  if ((secret === undefined) === (keys === undefined))
    throw new TypeError('tokens are verified with a secret or with public keys: give one of them')
  if (!audience)
    throw new TypeError('tokens need an audience, so that one for something else is not taken here')
  if (!(maxLife > 0)) throw new RangeError(`tokens.maxLife must be above 0 ms (got ${maxLife})`)
  // Loaded when it is needed, so that a tier without tokens is ready sooner.
  const jose = await import('jose')
  const algorithms = secret ? SYMMETRIC : ASYMMETRIC
  const requiredClaims = requireSubject ? ['exp', 'sub'] : ['exp']
  const claims = { audience, issuer, algorithms, requiredClaims }
  let key = readKeys({ secret, keys }, jose, false)
  const files = [secret, keys].filter(source => typeof source === 'string')
  warnOfReaders([secret], logger)
  if (!requireSubject)
    logger.info('tokens without a sub are taken, and all of them are one subject')
  return { grace, verify, ...watchFiles(files, reload) }

  async function verify(token: string): Promise<Grant> {
    try {
      const { payload } = await jose.jwtVerify(token, key, claims)
      checkLife(payload, maxLife)
      const grant = grantOf(payload)
      check(grant)
      return grant
    } catch (error) {
      throw error instanceof AccessError
        ? error
        : new AccessError(codes.unauthenticated, reasonOf(error, claims))
    }
  }

  function reload(): boolean {
    try {
      key = readKeys({ secret, keys }, jose, true)
    } catch (error) {
      logger.error(
        { files, reason: (error as Error).message },
        'the keys of tokens cannot be used: those before stay'
      )
      return false
    }
    warnOfReaders([secret], logger)
    logger.info({ files }, 'the keys of tokens were read again')
    return true
  }
}

function checkLife({ iat, exp }: JWTPayload, maxLife: number) {
  const now = Date.now()
  if (exp! * 1000 - Math.min(iat === undefined ? now : iat * 1000, now) <= maxLife + CLOCKS_MS)
    return
  throw new AccessError(
    codes.unauthenticated,
    `the token must expire within ${Math.floor(maxLife / 1000)} s of when it was issued: --token-max-life of the tier`
  )
}

/** The scopes in a text like that of tokens. */
export function scopesIn(text: unknown): ReadonlySet<Scope> {
  const given = typeof text === 'string' ? text.split(' ') : []
  return new Set(SCOPES.filter(scope => given.includes(scope)))
}

const isSubject = (sub: unknown) =>
  typeof sub === 'string' && sub.length > 0 && sub.length <= MAX_SUBJECT

function grantOf({ sub, jti, realm, scope, exp, limits = {} }: JWTPayload): Grant {
  const scopes = scopesIn(scope)
  if (!scopes.size)
    throw new AccessError(
      codes.forbidden,
      `the token has no scope of this tier: ${SCOPES.join(', ')}`
    )
  if (sub !== undefined && !isSubject(sub))
    throw new AccessError(
      codes.unauthenticated,
      `the sub of the token has 1 to ${MAX_SUBJECT} characters`
    )
  if (realm !== undefined && !isSubject(realm))
    throw new AccessError(
      codes.unauthenticated,
      `the realm of the token has 1 to ${MAX_SUBJECT} characters`
    )
  try {
    return {
      of: 'token',
      subject: sub,
      tokenId: jti === undefined ? undefined : String(jti),
      realm: realm as string | undefined,
      scopes,
      limits: checkLimits(limits, sessionDefaults),
      expires: exp! * 1000
    }
  } catch (error) {
    throw new AccessError(
      codes.unauthenticated,
      `the limits of the token cannot be kept: ${(error as Error).message}`
    )
  }
}

/** Says what is wrong with a token, without quoting it. */
function reasonOf(
  error: unknown,
  { audience, issuer, algorithms }: { audience: string; issuer?: string; algorithms: string[] }
): string {
  const { code, claim } = error as { code?: string; claim?: string }
  switch (code) {
    case 'ERR_JWT_EXPIRED':
      return 'the token has expired'
    case 'ERR_JWT_CLAIM_VALIDATION_FAILED':
      if (claim === 'aud') return `the token must be for the audience ${audience}`
      if (claim === 'iss') return `the token must be issued by ${issuer}`
      return `the claim ${claim} of the token is missing or not valid`
    case 'ERR_JOSE_ALG_NOT_ALLOWED':
      return `the token must be signed with one of ${algorithms.join(', ')}`
    case 'ERR_JWKS_NO_MATCHING_KEY':
    case 'ERR_JWKS_MULTIPLE_MATCHING_KEYS':
      return 'the kid of the token must be that of a key which this tier has'
    case 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED':
      return 'the signature of the token is not valid'
    default:
      return 'the token must be a JWT that is signed with a key of this tier'
  }
}
