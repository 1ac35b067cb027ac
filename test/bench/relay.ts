// The least that a proxy can cost: copies frames between its clients and the tier at a URL, with
// the same options of `ws` as the product.

import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { WebSocket, WebSocketServer } from 'ws'
import { PROTOCOL } from '../../lib/hello.ts'
import { webSocketOptions } from '../../lib/socket.ts'

export async function serveRelay(url: string): Promise<{ url: string }> {
  const server = new WebSocketServer({
    host: '127.0.0.1',
    port: 0,
    handleProtocols: () => PROTOCOL,
    ...webSocketOptions
  })
  server.on('connection', near => {
    const far = new WebSocket(url, PROTOCOL, webSocketOptions)
    near.pause()
    far.once('open', () => near.resume())
    copy(near, far)
    copy(far, near)
  })
  await once(server, 'listening')
  return { url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

function copy(from: WebSocket, to: WebSocket) {
  from.on('message', (frame, binary) => to.send(frame, { binary }))
  from.on('close', () => to.close())
}
