// A relay between a client and a tier that counts WebSocket frames, and breaks connections where it is told to.

import { type Socket, connect, createServer } from 'node:net'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { afterTest } from './helper.ts'

export type Direction = 'up' | 'down'

/** Whether to break the connection at this frame: before it, within it, or not at all. */
export type Cut = (direction: Direction, frame: number, connection: number) => 'before' | 'within' | undefined

export async function startRelay(url: string, cut: Cut = () => undefined) {
  const { hostname, port } = new URL(url)
  const sockets = new Set<Socket>()
  const frames = { up: 0, down: 0 }
  let connections = 0
  let frozen = false

  const server = createServer(client => {
    const connection = connections++
    const tier = connect(Number(port), hostname)
    for (const socket of [client, tier]) {
      sockets.add(socket)
      socket.on('error', () => {}) // The other side broke it.
      socket.on('close', () => {
        sockets.delete(socket)
        client.destroy()
        tier.destroy()
      })
    }
    pass(client, tier, 'up', connection)
    pass(tier, client, 'down', connection)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  afterTest(() => {
    server.close()
    breakAll()
  })

  function pass(from: Socket, to: Socket, direction: Direction, connection: number) {
    const parse = parser()
    let count = 0
    from.on('data', chunk => {
      if (frozen) return
      let at = 0
      for (const { start, end } of parse(chunk)) {
        const how = cut(direction, count++, connection)
        frames[direction]++
        if (!how) continue
        at = how === 'before' ? start : Math.floor((start + end) / 2)
        to.write(chunk.subarray(0, Math.max(at, 0)), () => from.destroy())
        from.removeAllListeners('data')
        return
      }
      to.write(chunk)
    })
  }

  function breakAll() {
    for (const socket of sockets) socket.destroy()
  }

  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    frames,
    get connections() { return connections },
    /** Breaks all connections. */
    breakAll,
    /** From now on connections are open, and nothing passes. */
    freeze() { frozen = true },
    thaw() { frozen = false }
  }
}

/** Finds the frames that begin in each chunk of one direction; start and end are relative to it. */
function parser() {
  let upgraded = false
  let head: Buffer = Buffer.alloc(0)
  let skip = 0

  return function* parse(chunk: Buffer): Generator<{ start: number; end: number }> {
    let at = 0
    if (!upgraded) {
      head = Buffer.concat([head, chunk])
      const end = head.indexOf('\r\n\r\n')
      if (end === -1) return
      upgraded = true
      at = chunk.length - (head.length - end - 4)
      head = Buffer.alloc(0)
    }
    at += skip
    skip = 0
    while (at < chunk.length) {
      const rest = head.length ? Buffer.concat([head, chunk.subarray(at)]) : chunk.subarray(at)
      const length = frameLength(rest)
      if (length === undefined) {
        head = rest
        return
      }
      const start = at - head.length
      head = Buffer.alloc(0)
      yield { start, end: Math.min(start + length, chunk.length) }
      at = start + length
    }
    skip = at - chunk.length
  }
}

/** RFC 6455, 5.2 */
function frameLength(bytes: Buffer): number | undefined {
  if (bytes.length < 2) return undefined
  const mask = bytes[1]! & 0x80 ? 4 : 0
  const short = bytes[1]! & 0x7f
  if (short === 126) return bytes.length < 4 ? undefined : 4 + mask + bytes.readUInt16BE(2)
  if (short === 127) return bytes.length < 10 ? undefined : 10 + mask + Number(bytes.readBigUInt64BE(2))
  return 2 + mask + short
}
