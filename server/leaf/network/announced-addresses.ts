// The addresses of a host that participants are told: one of each family, and a hostname where
// there is none.

import { isUnspecified, parseAddress } from './addresses.ts'
import type { Listening } from './listen-infos.ts'

type Family = 'ipv4' | 'ipv6' | 'hostname'

export type AnnouncedAddresses = Partial<Record<Family, string>>

/** @throws TypeError when there are two of a family */
export function announcedAddresses(given: string | readonly string[] = []): AnnouncedAddresses {
  const addresses: AnnouncedAddresses = {}
  for (const address of given === '' ? [] : [given].flat()) {
    const family = familyOf(address)
    if (typeof address !== 'string' || !address)
      throw new TypeError(
        `announcedAddress must be addresses that are not empty (got ${JSON.stringify(given)})`
      )
    if (addresses[family])
      throw new TypeError(
        `announcedAddress must be one of each family, or a hostname (got ${addresses[family]} and ${address})`
      )
    addresses[family] = address
  }
  return addresses
}

/**
 * The one at which a socket is reached. One on `::` takes IPv4, too, unless it is told not to, but
 * no IPv4 socket takes IPv6.
 */
export function addressFor(
  { info: { ip, flags } }: Listening,
  { ipv4, ipv6, hostname }: AnnouncedAddresses
): string | undefined {
  const address = parseAddress(ip)
  if (address?.kind() !== 'ipv6') return ipv4 ?? hostname
  const isDual = isUnspecified(address) && !(flags as { ipv6Only?: unknown } | undefined)?.ipv6Only
  return ipv6 ?? hostname ?? (isDual ? ipv4 : undefined)
}

const familyOf = (address: string): Family => parseAddress(address)?.kind() ?? 'hostname'
