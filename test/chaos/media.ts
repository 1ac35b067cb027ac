// A UDP socket that sends RTP to transports, and tells which arrives from others.

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import type * as ms from 'mediasoup/types'

const INTERVAL_MS = 20
const PAYLOAD = Buffer.from('some opus')

export type Media = Awaited<ReturnType<typeof openMedia>>

export async function openMedia(address: string) {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 1024 * 1024 }).bind(0, address)
  await once(socket, 'listening')
  const listeners = new Map<number, () => void>()
  const sources = new Set<() => void>()
  socket.on('message', packet => {
    if (!isRtcp(packet)) listeners.get(packet.readUInt32BE(8))?.()
  })
  socket.on('error', () => {}) // A port of a Worker that is gone, or a host that is unplugged.
  const timer = setInterval(() => { for (const source of sources) source() }, INTERVAL_MS)

  return {
    address,
    port: socket.address().port,
    listen: (ssrc: number, onPacket: () => void) => { listeners.set(ssrc, onPacket) },
    forget: (ssrc: number) => { listeners.delete(ssrc) },
    /** Sends a packet each 20 ms. */
    send(ssrc: number, { localAddress, localPort }: ms.TransportTuple, onSent: () => void) {
      let sequence = 0
      const source = () => {
        socket.send(packetOf(ssrc, sequence++), localPort, localAddress, () => {}) // It may be lost.
        onSent()
      }
      sources.add(source)
      return { stop: () => { sources.delete(source) } }
    },
    close() {
      clearInterval(timer)
      socket.close()
    }
  }
}

function packetOf(ssrc: number, sequence: number): Buffer {
  const header = Buffer.alloc(12)
  header[0] = 0x80
  header[1] = 111
  header.writeUInt16BE(sequence & 0xffff, 2)
  header.writeUInt32BE(sequence * 960 >>> 0, 4)
  header.writeUInt32BE(ssrc, 8)
  return Buffer.concat([header, PAYLOAD])
}

// RFC 5761, 4.
const isRtcp = (packet: Buffer) => packet[1]! >= 192 && packet[1]! <= 223
