// Sets of addresses as an operator names them: single ones, networks, and two words.

import { networkInterfaces } from 'node:os'
import ipaddr from 'ipaddr.js'

type Address = ipaddr.IPv4 | ipaddr.IPv6

export type AddressSet = (address: Address) => boolean

/** All that is no public unicast address: loopback, link-local, private, multicast, … */
export const NON_PUBLIC = 'non-public'

/** What an interface of this host has, the loopback network, and the unspecified addresses. */
export const LOCAL = 'local'

const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR('2000::/3')

/**
 * An address as mediasoup's worker reads it: up to a NUL, and IPv4 that is written as IPv6 is IPv4.
 */
export function parseAddress(ip: unknown): Address | undefined {
  if (typeof ip !== 'string') return undefined
  const [text] = ip.split('\0', 1) as [string]
  return ipaddr.isValid(text) ? ipaddr.process(text) : undefined
}

/** @throws TypeError that quotes the option, and the name that is none */
export function addressSet(option: string, names: readonly string[]): AddressSet {
  const sets = names.map(name => setOf(option, name))
  return address => sets.some(has => has(address))
}

function setOf(option: string, name: string): AddressSet {
  if (name === NON_PUBLIC) return address => !isPublic(address)
  if (name === LOCAL) return isLocal
  const [network, bits] = networkOf(name) ?? []
  if (network === undefined)
    throw new TypeError(
      `${option} must be addresses, networks such as 10.0.0.0/8, ${NON_PUBLIC} or ${LOCAL} (got ${JSON.stringify(name)})`
    )
  return address => address.kind() === network.kind() && address.match(network, bits!)
}

/** Whether an option may name it. */
export const isAddressSet = (name: string) =>
  name === NON_PUBLIC || name === LOCAL || networkOf(name) !== undefined

function networkOf(name: string): [Address, number] | undefined {
  if (ipaddr.isValidCIDR(name)) {
    const [address, bits] = ipaddr.parseCIDR(name)
    const isMapped = address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress() && bits >= 96
    return isMapped ? [address.toIPv4Address(), bits - 96] : [address, bits]
  }
  const address = parseAddress(name)
  return address && [address, address.kind() === 'ipv4' ? 32 : 128]
}

export const isPublic = (address: Address) =>
  address.range() === 'unicast' &&
  (address instanceof ipaddr.IPv4 || address.match(...GLOBAL_UNICAST))

export const isLoopback = (address: Address) => address.range() === 'loopback'

export const isUnspecified = (address: Address) => /^[0.:]+$/.test(address.toString())

export const isLocal = (address: Address) =>
  isLoopback(address) || isUnspecified(address) || ownAddresses().includes(address.toString())

/** What the interfaces of this host have, those of the loopback last. */
export function ownAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap(addresses => addresses ?? [])
    .toSorted((one, other) => Number(one.internal) - Number(other.internal))
    .map(({ address }) => ipaddr.process(address).toString())
}
