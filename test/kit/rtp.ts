// Packets of RTP, as tests send them.

/** An RTP packet. */
export function rtp(
  sequence: number,
  { ssrc = 11111111, payloadType = 111, payload = Buffer.from('some opus') } = {}
): Buffer {
  const header = Buffer.alloc(12)
  header[0] = 0x80
  header[1] = payloadType
  header.writeUInt16BE(sequence & 0xffff, 2)
  header.writeUInt32BE((sequence * 960) >>> 0, 4)
  header.writeUInt32BE(ssrc, 8)
  return Buffer.concat([header, payload])
}

/** RFC 5761, 4. */
export const isRtcp = (packet: Buffer) => packet[1]! >= 192 && packet[1]! <= 223
