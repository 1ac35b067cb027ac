// Who is let in, and who still is: client certificates, what they allow, and the deny list. All of
// it is looked at again when its files change, also for those who are in already.

import type { Logger } from 'pino'
import type { Link } from '../../lib/tier.ts'
import { authorityReader, certificateOf } from './certificates.ts'
import { openClientScopes } from './client-scopes.ts'
import { openDenyList } from './deny-list.ts'
import type { WatchedFiles } from './files.ts'
import type { ServerTls } from './http.ts'
import { Identity } from './identity.ts'
import { OpenConnections } from './open-connections.ts'
import { OpenSessions } from './open-sessions.ts'

export interface AccessOptions {
  tls?: ServerTls | undefined
  deny?: string | Buffer | undefined
  clientScopes?: string | Buffer | undefined
  maxSessionAge?: number | undefined
}

export interface Access extends WatchedFiles {
  readonly sessions: OpenSessions
  /** Throws an AccessError for whoever is denied. */
  readonly checkNamed: ReturnType<typeof openDenyList>['check']
  /** Who is at the other end of a socket. Throws an AccessError when its certificate is not let in. */
  identify(socket: object): Identity
  /** Throws an AccessError when somebody is not let in any more. */
  check(identity: Identity): void
  /** Ends a connection when its certificate is not valid any more. */
  watch(link: Link, identity: Identity): void
  /** Reads the authorities of clients again. Answers what ends connections that they do not let in. */
  readAuthorities(): () => void
}

/** @throws when a file cannot be read, or used */
export async function openAccess(options: AccessOptions, logger: Logger): Promise<Access> {
  const { tls, maxSessionAge } = options
  const [connections, sessions] = [new OpenConnections(), new OpenSessions(maxSessionAge)]
  if (options.clientScopes !== undefined && tls?.ca === undefined)
    throw new TypeError('scopes of client certificates need the ca of these')
  const readAuthorities = tls?.ca === undefined ? undefined : await authorityReader(tls.ca, tls.crl)
  const checkAll = () => sessions.check(check)
  let authorities = readAuthorities?.()
  const deny = openDenyList(options.deny, logger, checkAll)
  const scopes = openClientScopes(options.clientScopes, logger, checkAll)
  const files = [deny, scopes]
  return {
    sessions,
    checkNamed: deny.check,
    identify(socket) {
      const identity = new Identity(readAuthorities && certificateOf(socket))
      check(identity)
      return identity
    },
    check,
    watch(link, { certificate }) {
      if (certificate) connections.add(link, certificate)
    },
    readAuthorities() {
      const [before, now] = [authorities, readAuthorities?.()]
      return () => {
        authorities = now
        if (now && before) connections.check(now, before)
      }
    },
    reload: () => files.forEach(file => file.reload()),
    unwatch: () => files.forEach(file => file.unwatch())
  }

  function check(identity: Identity) {
    for (const named of identity.names) deny.check(named)
    identity.allow(scopes)
  }
}
