// Where pipes from other hosts arrive: at one address, because a pipe takes packets from one
// address only.

import { createHash } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname, networkInterfaces } from 'node:os'
import { isLoopback, isPublic, isUnspecified, ownAddresses, parseAddress } from './addresses.ts'

export const LOOPBACK = '127.0.0.1'

interface Addresses {
  announcedAddress?: string | readonly string[]
  pipeAddress?: string
}

/** The one that is given, or the first announced one that an interface has, or the loopback. */
export function pipeAddressOf({ announcedAddress = [], pipeAddress }: Addresses): string {
  const own = ownAddresses()
  return pipeAddress ?? [announcedAddress].flat().find(each => own.includes(each)) ?? LOOPBACK
}

/**
 * That of a host whose tier listens at an address: where only the host itself reaches it, so do
 * pipes; else it is that address, or the first of an interface.
 */
export function pipeAddressAt(host: string, addresses: Addresses): string {
  const known = pipeAddressOf(addresses)
  if (addresses.pipeAddress || known !== LOOPBACK || host === 'localhost') return known
  const address = parseAddress(host)
  if (address && isLoopback(address)) return known
  if (address && !isUnspecified(address)) return host
  return firstAddress() ?? known
}

function firstAddress(): string | undefined {
  const own = Object.values(networkInterfaces())
    .flatMap(addresses => addresses ?? [])
    .filter(({ internal, address }) => !internal && !/^(fe80|169\.254)/i.test(address))
  return (own.find(({ family }) => family === 'IPv4') ?? own[0])?.address
}

/**
 * Names what has the same loopback: this machine, since its start, and the namespace of its
 * network.
 */
export function loopbackId(): string {
  const start = tryTo(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8'))
  const namespace = tryTo(() => readlinkSync('/proc/self/ns/net'))
  return createHash('sha256')
    .update(JSON.stringify([hostname(), start, namespace]))
    .digest('base64url')
    .slice(0, 16)
}

/** Whether a tier that listens there is reached from beyond this host and its private network. */
export function isExposed(host: string): boolean {
  if (host === 'localhost') return false
  const address = parseAddress(host)
  return !address || isUnspecified(address) || isPublic(address)
}

function tryTo(read: () => string): string {
  try {
    return read()
  } catch {
    return '' // It is Linux's.
  }
}
