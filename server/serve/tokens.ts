// Verifies tokens, and reads what they allow.

import { createPublicKey, createSecretKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { JWTPayload, JWTVerifyGetKey, KeyObject } from 'jose'
import type { Logger } from 'pino'
import { AccessError, codes } from '../../lib/errors.ts'
import { SCOPES, type Scope } from '../../lib/scopes.ts'
import { watchFiles } from './files.ts'
import { type SessionLimits, checkLimits, sessionDefaults } from './limits.ts'

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
}

/** What a token allows. */
export interface Grant {
  subject: string | undefined
  /** The `jti` of the token. */
  tokenId: string | undefined
  scopes: ReadonlySet<Scope>
  limits: Partial<SessionLimits>
  /** When it expires, in ms since 1970. */
  expires: number
}

export interface Tokens {
  readonly grace: number
  /** Rejects with an AccessError that says what is wrong with the token, without quoting it. */
  verify(token: string): Promise<Grant>
  /** Reads the secret or the keys again. If the new ones cannot be used, the old ones stay. */
  reload(): void
  /** Ends watching the files. */
  unwatch(): void
}

// RFC 7518, 3.2
const MIN_SECRET_BYTES = 32
const SYMMETRIC = ['HS256', 'HS384', 'HS512']
const ASYMMETRIC = [
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

/** @throws when the secret or the keys cannot be read or used. */
export async function createTokens(
  { secret, keys, audience, issuer, grace = 30_000 }: TokenOptions,
  logger: Logger
): Promise<Tokens> {
  if ((secret === undefined) === (keys === undefined))
    throw new TypeError('tokens are verified with a secret or with public keys: give one of them')
  if (!audience)
    throw new TypeError('tokens need an audience, so that one for something else is not taken here')
  // Loaded when it is needed, so that a tier without tokens is ready sooner.
  const jose = await import('jose')
  const options = {
    audience,
    issuer,
    algorithms: secret ? SYMMETRIC : ASYMMETRIC,
    requiredClaims: ['exp']
  }
  let key = readKey()
  const files = [secret, keys].filter(source => typeof source === 'string')
  return { grace, verify, reload, unwatch: watchFiles(files, reload) }

  async function verify(token: string): Promise<Grant> {
    try {
      const { payload } = await jose.jwtVerify(token, key, options)
      return grantOf(payload)
    } catch (error) {
      throw error instanceof AccessError
        ? error
        : new AccessError(codes.unauthenticated, reasonOf(error, options))
    }
  }

  function readKey(): JWTVerifyGetKey {
    if (secret !== undefined) return always(createSecretKey(secretBytes(read(secret))))
    const text = read(keys!).toString()
    return text.trimStart().startsWith('{')
      ? jose.createLocalJWKSet(JSON.parse(text))
      : always(createPublicKey(text))
  }

  function reload() {
    try {
      key = readKey()
      logger.info({ files }, 'the keys of tokens were read again')
    } catch (error) {
      // Without the error's message: that of JSON quotes the file.
      logger.error(
        { files, reason: (error as Error).name },
        'the keys of tokens cannot be used: those before stay'
      )
    }
  }
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

function grantOf({ sub, jti, scope, exp, limits = {} }: JWTPayload): Grant {
  const given = typeof scope === 'string' ? scope.split(' ') : []
  const scopes = new Set(SCOPES.filter(scope => given.includes(scope)))
  if (!scopes.size)
    throw new AccessError(
      codes.forbidden,
      `the token has no scope of this tier: ${SCOPES.join(', ')}`
    )
  try {
    return {
      subject: sub,
      tokenId: jti,
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
