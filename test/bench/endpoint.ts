// A process with a UDP socket at an address: sends RTP that says when it was sent, and keeps for
// how long what arrives was under way.

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { rtpPacket } from '../kit/room.ts'
import { isRtcp } from '../kit/rtp.ts'

export type Order =
  /** To send packets; answers, in ms, how long it took. */
  | { send: number; everyMs: number; bytes: number; address: string; port: number }
  /**
   * Answers, by the port that they came from, how long packets of RTP were under way since it was
   * last asked, in ms.
   */
  | { take: true }

export type Delays = Record<number, number[]>

// At the end: a Worker may add extensions to the header.
const STAMP_BYTES = 8

const [address] = process.argv.slice(2) as [string]
let delays: Delays = {}
let sequence = 0

const socket = createSocket({ type: 'udp4', recvBufferSize: 1024 * 1024 }).bind(0, address)
await once(socket, 'listening')
socket.on('message', (packet, { port }) => {
  if (!isRtcp(packet))
    (delays[port] ??= []).push(
      Number(process.hrtime.bigint() - packet.readBigUInt64BE(packet.length - STAMP_BYTES)) / 1e6
    )
})
process.on('message', (order: Order) => {
  if ('send' in order) return send(order)
  process.send!(delays)
  delays = {}
})
process.send!(socket.address().port)

function send({ send, everyMs, bytes, address, port }: Extract<Order, { send: number }>) {
  const start = performance.now()
  let sent = 0
  const timer = setInterval(
    () => {
      for (const due = Math.min(send, (performance.now() - start) / everyMs); sent < due; sent++) {
        const packet = rtpPacket(++sequence, bytes)
        // All processes of a machine have the same monotonic clock.
        packet.writeBigUInt64BE(process.hrtime.bigint(), bytes - STAMP_BYTES)
        socket.send(packet, port, address)
      }
      if (sent < send) return
      clearInterval(timer)
      process.send!(performance.now() - start)
    },
    Math.max(1, everyMs / 2)
  )
}
