// The door of a served tier, before anybody has said a word: from where it may be reached, and from which pages.

import { BlockList, isIP } from 'node:net'

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8)
loopback.addAddress('::1', 'ipv6')

const isLoopback = (host: string) =>
  host === 'localhost' || (isIP(host) !== 0 && loopback.check(host, isIP(host) === 6 ? 'ipv6' : 'ipv4'))

export interface Protection {
  host: string
  /** Whether whoever connects has to say who they are. */
  authenticates: boolean
  insecure: boolean
}

/** Throws, with code ERR_INSECURE, when other hosts could reach what anybody may use. */
export function checkProtection({ host, authenticates, insecure }: Protection) {
  if (authenticates || insecure || isLoopback(host)) return
  throw Object.assign(
    new Error(`whoever reaches ${host} could use this tier: give serve() tokens, or tls with a ca for client certificates, or listen on 127.0.0.1; insecure: true does without`),
    { code: 'ERR_INSECURE' }
  )
}

/**
 * Whether the page that a browser shows may open a session. The pages of the tier's own host may not either, because it serves
 * none: one that seems to be from there has rebound its name.
 *
 * @param origin the header that every browser sends, and no script can change; what sends none is no browser
 */
export const isOriginAllowed = (origin: string | undefined, allowed: readonly string[]) =>
  origin === undefined || allowed.includes('*') || allowed.includes(origin)
