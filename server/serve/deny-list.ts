// Who is not let in any more: a file with a line for each subject, and for each token.
//
//   # Whoever this was has left us.
//   sub alice
//   jti 0b7ce1f4

import type { Logger } from 'pino'
import { AccessError, codes } from '../../lib/errors.ts'
import type { WatchedFiles } from './files.ts'
import { openReloaded } from './reloaded.ts'

/** What names somebody: the subject, and the `jti` of the token. */
export interface Named {
  subject?: string | undefined
  tokenId?: string | undefined
}

export interface DenyList extends WatchedFiles {
  /** Throws an AccessError for who is on it. */
  check(who: Named): void
}

interface Lines {
  sub: ReadonlySet<string>
  jti: ReadonlySet<string>
}

/**
 * @param source the path of the file, or its contents
 * @param onChange is called when it was read again
 * @throws when it cannot be read
 */
export function openDenyList(
  source: string | Buffer | undefined,
  logger: Logger,
  onChange: () => void
): DenyList {
  const lines = openReloaded({
    source,
    parse,
    logger,
    again: 'the deny list was read again',
    unusable: 'the deny list cannot be used: the one before stays',
    onChange
  })
  return { check, reload: lines.reload, unwatch: lines.unwatch }

  function check({ subject, tokenId }: Named) {
    if (subject !== undefined && lines.current?.sub.has(subject))
      throw new AccessError(codes.forbidden, 'the operator has denied the subject')
    if (tokenId !== undefined && lines.current?.jti.has(tokenId))
      throw new AccessError(codes.forbidden, 'the operator has denied the token')
  }
}

function parse(text: string): Lines {
  const lines = { sub: new Set<string>(), jti: new Set<string>() }
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (!line.trim() || line.startsWith('#')) continue
    const [, kind, value] = /^(sub|jti) +(.*\S)\s*$/.exec(line) ?? []
    if (!kind)
      throw new TypeError(
        `a line of the deny list is "sub" or "jti", and what is denied (line ${index + 1} is not)`
      )
    lines[kind as keyof Lines].add(value!)
  }
  return lines
}
