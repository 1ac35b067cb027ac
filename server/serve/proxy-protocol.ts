// The header of the PROXY protocol, versions 1 and 2, with which a balancer that forwards bytes says
// whose they are: https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt

import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'

export interface ProxyHeader {
  /** How many bytes it has. What follows is the client's. */
  length: number
  /** The client's address; undefined when the balancer speaks for itself, as in checks of health. */
  address: string | undefined
}

const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
const PREFIX = Buffer.from('PROXY ')
const MAX_TEXT_BYTES = 107
const FIXED_BYTES = 16
// The protocol allows 64 KiB of TLVs; balancers send some hundred bytes.
const MAX_VARIABLE_BYTES = 4 * 1024

const [LOCAL, PROXY] = [0x20, 0x21]
// By address family and transport: the bytes of an address, and of both with their ports.
const FAMILIES: ReadonlyMap<number, [one: number, all: number]> = new Map([
  [0x11, [4, 12]],
  [0x21, [16, 36]]
])

/**
 * Reads the header at the beginning of a connection.
 *
 * @returns undefined when more bytes are needed
 * @throws Error when it is none, or none that is taken here
 */
export function parseProxyHeader(bytes: Buffer): ProxyHeader | undefined {
  if (beginsLike(bytes, SIGNATURE)) return parseBinary(bytes)
  if (beginsLike(bytes, PREFIX)) return parseText(bytes)
  throw new Error('a connection of a trusted proxy begins with a header of the PROXY protocol')
}

function beginsLike(bytes: Buffer, expected: Buffer): boolean {
  const length = Math.min(bytes.length, expected.length)
  return bytes.subarray(0, length).equals(expected.subarray(0, length))
}

// Signature, version and command, family and transport, length of the rest: addresses, ports, TLVs.
function parseBinary(bytes: Buffer): ProxyHeader | undefined {
  if (bytes.length < FIXED_BYTES) return undefined
  const [command, family, variable] = [bytes[12]!, bytes[13]!, bytes.readUInt16BE(14)]
  if (command !== LOCAL && command !== PROXY)
    throw new Error(
      `a PROXY header has version 2 and the command LOCAL or PROXY (got 0x${command.toString(16)})`
    )
  if (variable > MAX_VARIABLE_BYTES)
    throw new Error(
      `a PROXY header has at most ${MAX_VARIABLE_BYTES} bytes after the first ${FIXED_BYTES} (got ${variable})`
    )
  const length = FIXED_BYTES + variable
  if (bytes.length < length) return undefined
  if (command === LOCAL) return { length, address: undefined }
  const [one, all] = FAMILIES.get(family) ?? []
  if (one === undefined || variable < all!)
    throw new Error(
      `a PROXY header has addresses of TCP over IPv4 or IPv6 (got family 0x${family.toString(16)} with ${variable} bytes)`
    )
  const source = bytes.subarray(FIXED_BYTES, FIXED_BYTES + one)
  return { length, address: ipaddr.fromByteArray([...source]).toString() }
}

// PROXY TCP4 192.0.2.1 198.51.100.1 50000 443\r\n
function parseText(bytes: Buffer): ProxyHeader | undefined {
  const end = bytes.subarray(0, MAX_TEXT_BYTES).indexOf('\r\n')
  if (end < 0 && bytes.length < MAX_TEXT_BYTES) return undefined
  const line = bytes.toString('latin1', 0, Math.max(0, end))
  const length = end + 2
  if (/^PROXY UNKNOWN(?: |$)/.test(line)) return { length, address: undefined }
  const [, version, source = '', target = '', ...ports] =
    /^PROXY TCP([46]) (\S+) (\S+) (\d{1,5}) (\d{1,5})$/.exec(line) ?? []
  const isWhole = [source, target].every(address => isIP(address) === Number(version))
  if (!isWhole || ports.some(port => Number(port) > 65_535))
    throw new Error('a PROXY header of version 1 is PROXY TCP4 or TCP6, two addresses, two ports')
  return { length, address: source }
}
