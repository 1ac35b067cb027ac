// A UDP socket that sends RTP to transports, and tells which arrives from others.

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import type * as ms from 'mediasoup/types'
import { isRtcp, rtp } from '../kit/rtp.ts'

const INTERVAL_MS = 20

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
  const timer = setInterval(() => {
    for (const source of sources) source()
  }, INTERVAL_MS)

  return {
    address,
    port: socket.address().port,
    listen: (ssrc: number, onPacket: () => void) => {
      listeners.set(ssrc, onPacket)
    },
    forget: (ssrc: number) => {
      listeners.delete(ssrc)
    },
    /** Sends a packet each 20 ms. */
    send(ssrc: number, { localAddress, localPort }: ms.TransportTuple, onSent: () => void) {
      let sequence = 0
      const source = () => {
        socket.send(rtp(sequence++, { ssrc }), localPort, localAddress, () => {}) // It may be lost.
        onSent()
      }
      sources.add(source)
      return {
        stop: () => {
          sources.delete(source)
        }
      }
    },
    close() {
      clearInterval(timer)
      socket.close()
    }
  }
}
