// A process on a host of a test: a UDP socket that sends RTP when it is told to, and counts what
// arrives.

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { isRtcp, rtp } from '../kit/rtp.ts'

const [address] = process.argv.slice(2) as [string]
const received: Record<number, number> = {}
let sequence = 0

const socket = createSocket('udp4').bind(0, address)
await once(socket, 'listening')
socket.on('message', packet => {
  if (isRtcp(packet)) return
  const ssrc = packet.readUInt32BE(8)
  received[ssrc] = (received[ssrc] ?? 0) + 1
})
process.on(
  'message',
  ({
    count,
    port,
    ssrc,
    payload
  }: {
    count: number
    port: number
    ssrc: number
    payload: string
  }) => {
    for (let i = 0; i < count; i++)
      socket.send(rtp(sequence++, { ssrc, payload: Buffer.from(payload) }), port, address)
  }
)
process.send!({ port: socket.address().port })
setInterval(() => process.send!({ received }), 20)
