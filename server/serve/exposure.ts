// Checks before the first message of a client: which hosts may reach a tier, and which pages.

import { BlockList, isIP } from 'node:net'

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8)
loopback.addAddress('::1', 'ipv6')

const isLoopback = (host: string) =>
  host === 'localhost' ||
  (isIP(host) !== 0 && loopback.check(host, isIP(host) === 6 ? 'ipv6' : 'ipv4'))

export interface Protection {
  host: string
  /** Whether clients need a token or a certificate. */
  authenticates: boolean
  insecure: boolean
  /** Whether clients come through proxies, perhaps from other hosts. */
  isProxied?: boolean
}

/** @throws with code ERR_INSECURE, when other hosts could reach a tier that everybody may use. */
export function checkProtection({ host, authenticates, insecure, isProxied }: Protection) {
  if (authenticates || insecure || (isLoopback(host) && !isProxied)) return
  throw Object.assign(
    new Error(
      `whoever reaches ${host} could use this tier: give serve() tokens, or tls with a ca for client certificates, or listen on 127.0.0.1 without trusted proxies; insecure: true does without`
    ),
    { code: 'ERR_INSECURE' }
  )
}

/**
 * Whether a page in a browser may open a session. The tier's own origin is not allowed by itself:
 * a tier without a monitor serves no pages, so a page from there has rebound its name.
 *
 * @param origin the header that every browser sends and no script can change; other clients send
 *   none
 */
export const isOriginAllowed = (origin: string | undefined, allowed: readonly string[]) =>
  origin === undefined || allowed.includes('*') || allowed.includes(origin)
