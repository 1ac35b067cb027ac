// What an upgrade has to be before anybody looks at who asks. What `ws` checks by itself (method,
// key, Upgrade, the syntax of subprotocols) is left to it.

import type { IncomingMessage } from 'node:http'
import type { WebSocketServer } from 'ws'
import { PROTOCOL } from '../../lib/hello.ts'
import { isOriginAllowed } from './exposure.ts'
import { isOwnOrigin } from './own-origin.ts'

/** HTTP's status, and a sentence. */
export type Refusal = [status: number, why: string]

export interface UpgradeRules {
  sockets: Pick<WebSocketServer, 'shouldHandle'>
  allowOrigins: readonly string[]
  /** The server has pages of its own, which may connect. */
  ownPages?: { isProven: boolean } | undefined
}

export function upgradeRefusal(
  request: IncomingMessage,
  { sockets, allowOrigins, ownPages }: UpgradeRules
): Refusal | undefined {
  const { httpVersion, headers, headersDistinct } = request
  if (httpVersion !== '1.1')
    return [400, `WebSocket is upgraded from HTTP/1.1 (got HTTP/${httpVersion})`]
  const hosts = headersDistinct.host?.length ?? 0
  if (hosts !== 1) return [400, `a request has one Host (got ${hosts})`]
  // Version 8 names the origin of a page in another header, which nobody looks at.
  const version = headers['sec-websocket-version']
  if (version !== '13')
    return [426, `the version of WebSocket must be 13 (got ${version ?? 'none'})`]
  if (!sockets.shouldHandle(request)) return [400, 'the path of a tier is /']
  const offered = (headers['sec-websocket-protocol'] ?? '').split(',').map(name => name.trim())
  if (!offered.includes(PROTOCOL))
    return [400, `the subprotocol must be ${PROTOCOL} (got ${offered.join() || 'none'})`]
  const { origin } = headers
  if (ownPages && isOwnOrigin(headers, ownPages.isProven)) return undefined
  if (!isOriginAllowed(origin, allowOrigins))
    return [
      403,
      `pages of ${origin} may not connect: the operator allows origins by --allow-origin`
    ]
}
