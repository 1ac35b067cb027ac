// The least that a call over a WebSocket can cost: answers each frame with `answers` frames of `bytes` bytes, as the URL says.
// With --worker it asks Consumer.getStats() first: the least that a leaf can cost, as three processes share the machine.

import { parseArgs } from 'node:util'
import * as mediasoup from 'mediasoup'
import { WebSocketServer } from 'ws'
import { webSocketOptions } from '../lib/socket.ts'
import { openStage } from './room.ts'

const { values: { worker } } = parseArgs({ options: { worker: { type: 'boolean' } } })
const consumer = worker && (await openStage(mediasoup)).consumer
const server = new WebSocketServer({ host: '127.0.0.1', port: 0, ...webSocketOptions })

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

server.on('listening', () => process.send!(`ws://127.0.0.1:${(server.address() as { port: number }).port}`))
process.on('disconnect', () => process.exit())
