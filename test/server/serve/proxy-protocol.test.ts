// The header of the PROXY protocol: what is one, what is none, and where it ends.

import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { parseProxyHeader } from '../../../server/serve/proxy-protocol.ts'
import { binaryHeader, v4, v6 } from '../../kit/proxy-header.ts'

const text = (line: string) => Buffer.from(line, 'latin1')
const rest = Buffer.from('GET / HTTP/1.1\r\n')
const tlvs = Buffer.from([0x04, 0, 3, 1, 2, 3, 0x02, 0, 1, 0x61])

const taken: Record<string, [header: Buffer, address: string | undefined]> = {
  'version 2, IPv4': [binaryHeader(0x21, 0x11, v4('192.0.2.7')), '192.0.2.7'],
  'version 2, IPv6': [binaryHeader(0x21, 0x21, v6(0x2001, 0xdb8, 7)), '2001:db8::7'],
  'version 2, with TLVs': [
    binaryHeader(0x21, 0x11, Buffer.concat([v4('192.0.2.7'), tlvs])),
    '192.0.2.7'
  ],
  'version 2, LOCAL': [binaryHeader(0x20, 0x00), undefined],
  'version 2, LOCAL with addresses': [binaryHeader(0x20, 0x11, v4('192.0.2.7')), undefined],
  'version 1, IPv4': [text('PROXY TCP4 192.0.2.7 198.51.100.1 50000 443\r\n'), '192.0.2.7'],
  'version 1, IPv6': [text('PROXY TCP6 2001:db8::7 2001:db8::1 1 65535\r\n'), '2001:db8::7'],
  'version 1, UNKNOWN': [text('PROXY UNKNOWN\r\n'), undefined],
  'version 1, UNKNOWN with addresses': [text('PROXY UNKNOWN ff::1 ff::2 1 2\r\n'), undefined]
}

for (const [name, [header, address]] of Object.entries(taken)) {
  test(`${name}: the address and the end of the header, in whatever pieces it comes`, () => {
    assert.equal(parseProxyHeader(header), { length: header.length, address })
    const all = Buffer.concat([header, rest])
    assert.equal(parseProxyHeader(all), { length: header.length, address })
    for (let end = 0; end < header.length; end++)
      assert.is(parseProxyHeader(all.subarray(0, end)), undefined, `${end} bytes`)
  })
}

const refused: Record<string, [header: Buffer, why: RegExp]> = {
  'no header': [rest, /begins with a header of the PROXY protocol$/],
  'a handshake of TLS': [Buffer.from([0x16, 0x03, 0x01]), /begins with a header/],
  'version 1 of the binary one': [binaryHeader(0x11, 0x11, v4('192.0.2.7')), /\(got 0x11\)$/],
  'another command': [binaryHeader(0x22, 0x11, v4('192.0.2.7')), /\(got 0x22\)$/],
  UDP: [binaryHeader(0x21, 0x12, v4('192.0.2.7')), /\(got family 0x12 with 12 bytes\)$/],
  'a Unix socket': [binaryHeader(0x21, 0x31, Buffer.alloc(216)), /\(got family 0x31/],
  'no family': [binaryHeader(0x21, 0x00), /\(got family 0x0 with 0 bytes\)$/],
  'addresses that are cut': [binaryHeader(0x21, 0x21, v4('192.0.2.7')), /with 12 bytes\)$/],
  'more than is taken': [binaryHeader(0x21, 0x11, Buffer.alloc(4097)), /\(got 4097\)$/],
  'a text without an end': [text(`PROXY TCP4 ${'1'.repeat(107)}`), /^a PROXY header of version 1/],
  'an address of the other family': [text('PROXY TCP4 ::1 ::1 1 2\r\n'), /^a PROXY header/],
  'a name': [text('PROXY TCP4 localhost localhost 1 2\r\n'), /^a PROXY header/],
  'a port that is none': [text('PROXY TCP4 1.1.1.1 1.1.1.1 1 65536\r\n'), /^a PROXY header/],
  'a text with more': [text('PROXY TCP4 1.1.1.1 1.1.1.1 1 2 3\r\n'), /^a PROXY header/],
  'a text of UDP': [text('PROXY UDP4 1.1.1.1 1.1.1.1 1 2\r\n'), /^a PROXY header/]
}

for (const [name, [header, why]] of Object.entries(refused)) {
  test(`${name} is refused, with a sentence`, () => {
    assert.throws(
      () => parseProxyHeader(header),
      (error: Error) => why.test(error.message)
    )
  })
}

test('whatever comes is a header, the beginning of one, or refused with a sentence', () => {
  const signed = fc
    .tuple(
      fc.constantFrom(binaryHeader(0x21, 0x11).subarray(0, 12), text('PROXY ')),
      fc.uint8Array()
    )
    .map(([signature, bytes]) => Buffer.concat([signature, bytes]))
  const odd = fc.oneof(signed, fc.uint8Array().map(Buffer.from))
  fc.assert(
    fc.property(odd, bytes => {
      try {
        const header = parseProxyHeader(bytes)
        if (header) assert.ok(header.length <= bytes.length)
        else assert.ok(bytes.length < 16 + 4096)
      } catch (error) {
        assert.match((error as Error).message, /PROXY/)
      }
    }),
    { numRuns: 2_000 }
  )
})

test.run()
