// A process that gets each frame on the hub of a test in VXLAN (RFC 7348), and counts UDP packets
// by where they go.

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { SECRET } from './secret.ts'
import type { Traffic } from '../kit/network.ts'

const VXLAN_BYTES = 8
const ETHERNET_BYTES = 14
const UDP_BYTES = 8
const IPV4 = 0x0800
const UDP = 17

const [address, port] = process.argv.slice(2) as [string, string]
const seen = new Map<string, Traffic>()

const socket = createSocket('udp4').bind(Number(port), address)
await once(socket, 'listening')
socket.on('message', message => look(message.subarray(VXLAN_BYTES)))
process.send!({ listens: true })
setInterval(() => process.send!({ seen: [...seen] }), 20)

function look(frame: Buffer) {
  const packet = frame.subarray(ETHERNET_BYTES)
  if (frame.readUInt16BE(ETHERNET_BYTES - 2) !== IPV4 || packet[9] !== UDP) return
  const [from, to] = [packet.subarray(12, 16), packet.subarray(16, 20)].map(bytes =>
    bytes.join('.')
  )
  const path = `${from} ${to}`
  const traffic = seen.get(path) ?? { rtp: 0, readable: 0 }
  seen.set(path, traffic)
  const payload = packet.subarray((packet[0]! & 0xf) * 4 + UDP_BYTES)
  if (isRtp(payload)) traffic.rtp++
  if (payload.includes(SECRET)) traffic.readable++
}

// By the version; and what is RTP and what RTCP, SRTP does not hide (RFC 5761, 4).
function isRtp(payload: Buffer) {
  return payload.length >= 12 && payload[0]! >> 6 === 2 && (payload[1]! < 192 || payload[1]! > 223)
}
