// The least that a call over a WebSocket can cost: answers each frame with `answers` frames of
// `bytes` bytes, as the URL says. With --worker it asks Consumer.getStats() first: the least that a
// leaf can cost, as three processes share the machine. With --cert and --key it speaks TLS.

import { createServer } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { parseArgs } from 'node:util'
import * as mediasoup from 'mediasoup'
import { WebSocketServer } from 'ws'
import { webSocketOptions } from '../../lib/socket.ts'
import { readTls } from '../../lib/tls.ts'
import { openStage } from './room.ts'

const {
  values: { worker, ...tls }
} = parseArgs({
  options: { worker: { type: 'boolean' }, cert: { type: 'string' }, key: { type: 'string' } }
})
const consumer = worker && (await openStage(mediasoup)).consumer
const http = tls.cert === undefined ? createServer() : createSecureServer(readTls(tls))
const server = new WebSocketServer({ server: http, ...webSocketOptions })

server.on('connection', (socket, { url }) => {
  const query = new URL(url!, 'ws://localhost').searchParams
  const bytes = Number(query.get('bytes'))
  const answers = Number(query.get('answers'))
  const answer = query.has('binary') ? Buffer.alloc(bytes) : ' '.repeat(bytes)
  socket.on('message', async () => {
    if (consumer) await consumer.getStats()
    for (let i = 0; i < answers; i++) socket.send(answer)
  })
})

http.listen(0, '127.0.0.1', () =>
  process.send!(
    `${tls.cert === undefined ? 'ws' : 'wss'}://127.0.0.1:${(http.address() as AddressInfo).port}`
  )
)
