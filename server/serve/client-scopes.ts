// What client certificates allow, by their subjects:
//
//   {
//     "spiffe://media.example/tiers/*": { "scope": "observe create operate" },
//     "spiffe://media.example/apps/*": { "scope": "observe create", "limits": { "workers": 2 } }
//   }

import type { Logger } from 'pino'
import { AccessError, codes } from '../../lib/errors.ts'
import { SCOPES } from '../../lib/scopes.ts'
import type { WatchedFiles } from './files.ts'
import { checkLimits, sessionDefaults } from './limits.ts'
import { openReloaded } from './reloaded.ts'
import { type Grant, scopesIn } from './tokens.ts'

export interface ClientScopes extends WatchedFiles {
  /**
   * What a subject may do, by the first pattern that it matches; undefined where there is no file:
   * everything. Throws an AccessError when it matches none.
   */
  grantOf(subject: string): Grant | undefined
}

type Allowed = Pick<Grant, 'scopes' | 'limits'>
type Rules = readonly { pattern: RegExp; allowed: Allowed }[]

/**
 * @param source the path of the file, or its contents
 * @param onChange is called when it was read again
 * @throws when it cannot be read
 */
export function openClientScopes(
  source: string | Buffer | undefined,
  logger: Logger,
  onChange: () => void
): ClientScopes {
  const rules = openReloaded({
    source,
    parse,
    logger,
    again: 'the scopes of clients were read again',
    unusable: 'the scopes of clients cannot be used: those before stay',
    onChange
  })
  return { grantOf, reload: rules.reload, unwatch: rules.unwatch }

  function grantOf(subject: string): Grant | undefined {
    if (!rules.current) return undefined
    const rule = rules.current.find(({ pattern }) => pattern.test(subject))
    if (!rule)
      throw new AccessError(codes.forbidden, 'the operator lets in no certificate of this subject')
    return { ...rule.allowed, of: 'certificate', subject, tokenId: undefined, expires: Infinity }
  }
}

function parse(text: string): Rules {
  const entries: unknown = JSON.parse(text)
  if (Object(entries) !== entries || Array.isArray(entries))
    throw new TypeError('the scopes of clients are an object: {"pattern": {"scope": "…"}}')
  return Object.entries(entries as object).map(([pattern, allowed]) => ({
    pattern: patternOf(pattern),
    allowed: allowedBy(pattern, allowed)
  }))
}

/** A `*` stands for any characters. */
const patternOf = (pattern: string) =>
  new RegExp(`^${pattern.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')}$`, 's')

function allowedBy(pattern: string, value: unknown): Allowed {
  const { scope, limits = {}, ...others } = Object(value) as Record<string, unknown>
  const scopes = scopesIn(scope)
  const [unknown] = Object.keys(others)
  if (!scopes.size || unknown !== undefined)
    throw new TypeError(
      `${pattern} takes a "scope" of ${SCOPES.join(', ')}, and "limits"${unknown === undefined ? '' : ` (got ${unknown})`}`
    )
  return { scopes, limits: checkLimits(limits, sessionDefaults) }
}
