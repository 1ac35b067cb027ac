// A conference server with many rooms, as people write it for mediasoup: a WebRtcServer for each
// Worker, Workers in turn, signalling over a WebSocket. It knows nothing of Mafalda.
//
//   node server.ts
//   MAFALDA_URL=ws://127.0.0.1:4000 node --import mafalda/register server.ts

import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import * as mediasoup from 'mediasoup'
import type { Worker } from 'mediasoup/types'
import { WebSocketServer } from 'ws'
import { Room } from './room.ts'

const {
  PORT = '4443',
  WORKERS = '2',
  // Where media arrives, and what participants are told of it.
  LISTEN_IP = '127.0.0.1',
  ANNOUNCED_ADDRESS,
  // The port of the first WebRtcServer; each further Worker takes the next port. 0: any that is free.
  RTC_PORT = '0',
  // How many participants a Router takes before their room gets one more, on another Worker.
  ROUTER_SIZE = '20',
  STATS_SECONDS = '10'
} = process.env

// mediasoup listens to signals, too: it closes Workers, and does not end the process.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit())

const workers: Worker[] = []
const rooms = new Map<string, Promise<Room>>()
let turn = 0

for (let i = 0; i < Number(WORKERS); i++) workers.push(await startWorker(i))

async function startWorker(i: number): Promise<Worker> {
  const worker = await mediasoup.createWorker({ logLevel: 'warn' })
  worker.on('died', error => {
    console.error('a mediasoup Worker died', error)
    process.exit(1)
  })
  const port = Number(RTC_PORT) && Number(RTC_PORT) + i
  worker.appData.webRtcServer = await worker.createWebRtcServer({
    listenInfos: (['udp', 'tcp'] as const).map(protocol => ({
      protocol,
      ip: LISTEN_IP,
      announcedAddress: ANNOUNCED_ADDRESS,
      port
    }))
  })
  return worker
}

const nextWorker = () => workers[turn++ % workers.length]!

function roomOf(name: string): Promise<Room> {
  const there = rooms.get(name)
  if (there) return there
  const opened = Room.open({ nextWorker, routerSize: Number(ROUTER_SIZE), listenIp: LISTEN_IP })
  rooms.set(name, opened)
  opened.catch(() => rooms.delete(name))
  return opened
}

const http = createServer((_, response) => response.writeHead(404).end())
const signalling = new WebSocketServer({ server: http, maxPayload: 256 * 1024 })

signalling.on('connection', (socket, { url = '' }) => {
  const { pathname, searchParams } = new URL(url, 'http://localhost')
  const name = pathname.slice(1)
  const joining = roomOf(name).then(room =>
    room.join(searchParams.get('id') ?? '', (event, data) =>
      socket.send(JSON.stringify({ event, data }))
    )
  )
  joining.catch(error => socket.close(1011, String(error).slice(0, 100)))
  socket.on('error', () => {}) // 'close' follows.
  socket.on('close', async () => {
    const participant = await joining.catch(() => undefined)
    participant?.leave()
    const room = await rooms.get(name)
    if (!room || room.participants.size) return
    rooms.delete(name)
    room.close()
  })
  socket.on('message', async text => {
    const { request, method, data = {} } = JSON.parse(String(text))
    try {
      const result = (await (await joining).handle(method, data)) ?? {}
      socket.send(JSON.stringify({ request, result }))
    } catch (error) {
      socket.send(JSON.stringify({ request, error: String(error) }))
    }
  })
})

setInterval(async () => {
  for (const [name, opened] of rooms) {
    const room = await opened
    console.log(JSON.stringify({ room: name, ...(await room.stats()) }))
  }
}, Number(STATS_SECONDS) * 1_000)

await once(http.listen(Number(PORT)), 'listening')
console.log(JSON.stringify({ listening: (http.address() as AddressInfo).port }))
