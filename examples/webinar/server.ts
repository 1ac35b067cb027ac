// A server for webinars, as people write it for mediasoup: a few on stage, hundreds who listen, one
// Worker, signalling over a WebSocket. It knows nothing of Mafalda.
//
//   node server.ts
//   MAFALDA_URL=ws://127.0.0.1:4000 node --import mafalda/register server.ts

import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import * as mediasoup from 'mediasoup'
import { WebSocketServer } from 'ws'
import { Webinar } from './webinar.ts'

const {
  PORT = '4444',
  // Whoever shows it is a host.
  HOST_KEY = randomUUID(),
  STAGE = '16',
  SEATS = '500',
  // Where media arrives, and what participants are told of it.
  LISTEN_IP = '127.0.0.1',
  ANNOUNCED_ADDRESS,
  RTC_PORT = '0'
} = process.env

// mediasoup listens to signals, too: it closes Workers, and does not end the process.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit())

const worker = await mediasoup.createWorker({ logLevel: 'warn' })
worker.on('died', error => {
  console.error('the mediasoup Worker died', error)
  process.exit(1)
})
const webRtcServer = await worker.createWebRtcServer({
  listenInfos: (['udp', 'tcp'] as const).map(protocol => ({
    protocol,
    ip: LISTEN_IP,
    announcedAddress: ANNOUNCED_ADDRESS,
    port: Number(RTC_PORT)
  }))
})
const options = {
  worker,
  webRtcServer,
  listenIp: LISTEN_IP,
  stageSize: Number(STAGE),
  seats: Number(SEATS)
}
const webinars = new Map<string, Promise<Webinar>>()

function webinarOf(name: string): Promise<Webinar> {
  const there = webinars.get(name)
  if (there) return there
  const opened = Webinar.open(options)
  webinars.set(name, opened)
  opened.catch(() => webinars.delete(name))
  return opened
}

const http = createServer((_, response) => response.writeHead(404).end())
const signalling = new WebSocketServer({ server: http, maxPayload: 256 * 1024 })

signalling.on('connection', (socket, { url = '' }) => {
  const { pathname, searchParams } = new URL(url, 'http://localhost')
  const [id, key] = [searchParams.get('id') ?? '', searchParams.get('key')]
  const send = (message: object) => socket.send(JSON.stringify(message))
  const notify = (event: string, data: object) => send({ event, data })
  const joining = webinarOf(pathname).then(webinar => webinar.join(id, key === HOST_KEY, notify))
  joining.catch(error => socket.close(1008, String(error).slice(0, 100)))
  socket.on('error', () => {}) // 'close' follows.
  socket.on('close', async () => {
    const seat = await joining.catch(() => undefined)
    seat?.leave()
    const webinar = await webinars.get(pathname)
    if (!webinar || webinar.taken) return
    webinars.delete(pathname)
    webinar.close()
  })
  socket.on('message', async text => {
    let request: unknown
    try {
      const { method, data = {}, ...message } = JSON.parse(String(text))
      request = message.request
      send({ request, result: (await (await joining).handle(method, data)) ?? {} })
    } catch (error) {
      send({ request, error: String(error) })
    }
  })
})

await once(http.listen(Number(PORT)), 'listening')
console.log(JSON.stringify({ listening: (http.address() as AddressInfo).port, hostKey: HOST_KEY }))
