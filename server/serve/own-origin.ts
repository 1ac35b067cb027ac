// Whether a page comes from the very port that it connects to: the monitor's own page.

import type { IncomingHttpHeaders } from 'node:http'
import { isIP } from 'node:net'

/**
 * A name may have been rebound by who owns it, so that a page of theirs appears to come from here. So
 * the name must be proven: by the certificate of the tier, by a token that the page cannot know, or
 * because it is no name at all.
 *
 * @param isProven whether there is a certificate, or tokens
 */
export function isOwnOrigin({ origin, host }: IncomingHttpHeaders, isProven: boolean): boolean {
  if (origin === undefined || host === undefined || !URL.canParse(origin)) return false
  const page = new URL(origin)
  if (page.origin !== origin || page.host !== withoutDefaultPort(page.protocol, host)) return false
  return (
    isProven || page.hostname === 'localhost' || isIP(page.hostname.replace(/^\[|\]$/g, '')) > 0
  )
}

/** As a URL has it. */
const withoutDefaultPort = (protocol: string, host: string) =>
  URL.canParse(`${protocol}//${host}`) ? new URL(`${protocol}//${host}`).host : undefined
