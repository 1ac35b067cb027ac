// A peer that speaks the protocol by hand, frame by frame.

import { once } from 'node:events'
import { type ClientOptions, WebSocket } from 'ws'
import { PROTOCOL } from '../../lib/hello.ts'
import { decode } from '../../lib/wire.ts'
import { until } from './until.ts'

export type Raw = Awaited<ReturnType<typeof openRaw>>

/** A bare WebSocket that speaks frames, and keeps what it hears. */
export async function openRaw(url: string, options: ClientOptions = {}) {
  const socket = new WebSocket(url, PROTOCOL, options)
  const heard: (Record<string, unknown> & {
    id?: unknown
    error?: { code: number; message: string; data?: { name: string } }
  })[] = []
  socket.on('message', (data, isBinary) =>
    heard.push(isBinary ? (decode(data as Buffer) as object) : JSON.parse(data.toString()))
  )
  await once(socket, 'open')
  socket.on('error', () => {}) // `closed` tells.
  let id = 0
  return {
    socket,
    heard,
    closed: once(socket, 'close').then(([code, reason]) => ({
      code: code as number,
      reason: String(reason)
    })),
    send: (frame: unknown) =>
      socket.send(
        typeof frame === 'string' || Buffer.isBuffer(frame) ? frame : JSON.stringify(frame)
      ),
    /** The next message after those already heard. */
    async answer(frame?: unknown) {
      const count = heard.length
      if (frame !== undefined) this.send(frame)
      return until(() => heard[count])
    },
    async call(method: string, ...params: unknown[]) {
      const own = `t${++id}`
      this.send({ jsonrpc: '2.0', id: own, method, params })
      return until(() => heard.find(message => message.id === own))
    }
  }
}
