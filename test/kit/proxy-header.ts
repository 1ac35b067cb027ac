// Headers of the PROXY protocol, as balancers write them.

const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex')

export function binaryHeader(command: number, family: number, variable: Buffer = Buffer.alloc(0)) {
  const fixed = Buffer.from([command, family, variable.length >> 8, variable.length & 255])
  return Buffer.concat([SIGNATURE, fixed, variable])
}

const ports = Buffer.from([0xc3, 0x50, 0x01, 0xbb])

/** Source and target, and their ports. */
export const v4 = (source: string) =>
  Buffer.concat([Buffer.from(source.split('.').map(Number)), Buffer.from([10, 0, 0, 1]), ports])

/** An address of IPv6 with two groups at its beginning, and one at its end. */
export function v6(first: number, second: number, last: number) {
  const [source, target] = [Buffer.alloc(16), Buffer.alloc(16)]
  source.writeUInt16BE(first, 0)
  source.writeUInt16BE(second, 2)
  source.writeUInt16BE(last, 14)
  return Buffer.concat([source, target, ports])
}
