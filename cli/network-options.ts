// Options of `mafalda serve` about the network of its host: how they are written.

import { InvalidArgumentError } from 'commander'
import { isAddressSet } from '../server/leaf/network/addresses.ts'
import { announcedAddresses } from '../server/leaf/network/announced-addresses.ts'

const MAX_PORT = 65_535

/** Like 40000-40999. */
export function parsePorts(value: string): { min: number; max: number } {
  const [, min, max] = /^(\d{1,5})-(\d{1,5})$/.exec(value)?.map(Number) ?? []
  if (min && max && min <= max && max <= MAX_PORT) return { min, max }
  throw new InvalidArgumentError(
    `It must be MIN-MAX with ports from 1 to ${MAX_PORT}, for example 40000-40999.`
  )
}

/** Divided by commas; `none` is no address at all. */
export function parseAddresses(value: string): string[] {
  if (value === 'none') return []
  const names = value.split(',').map(name => name.trim())
  const wrong = names.find(name => !isAddressSet(name))
  if (wrong === undefined) return names
  throw new InvalidArgumentError(
    `Addresses are like 10.0.0.7, 10.0.0.0/8, fd00::/8, local or non-public ("${wrong}" is not).`
  )
}

/** Divided by commas; one of each family. */
export function parseAnnounced(value: string): string[] {
  const addresses = value ? value.split(',').map(address => address.trim()) : []
  try {
    announcedAddresses(addresses)
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message)
  }
  return addresses
}
