// A broadcaster as people write it for mediasoup: WHIP in, WHEP out. It knows nothing of Mafalda.
//
//   node server.ts
//   MAFALDA_URL=ws://127.0.0.1:4000 node --import mafalda/register server.ts

import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import * as mediasoup from 'mediasoup'
import type { Worker } from 'mediasoup/types'
import { serviceOf } from './http.ts'

const {
  PORT = '8080',
  HOST = '127.0.0.1',
  WORKERS = '2',
  // Where media arrives, and what publishers and viewers are told of it.
  LISTEN_IP = '127.0.0.1',
  ANNOUNCED_ADDRESS,
  // The port of the first WebRtcServer; each further Worker takes the next port. 0: any that is free.
  RTC_PORT = '0',
  // How many sessions a Router takes before its broadcast gets one more, on another Worker.
  ROUTER_SIZE = '100',
  PUBLISH_TOKEN,
  WATCH_TOKEN
} = process.env

// mediasoup listens to signals, too: it closes Workers, and does not end the process.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit())

const workers: Worker[] = []
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

const service = serviceOf({
  nextWorker: () => workers[turn++ % workers.length]!,
  routerSize: Number(ROUTER_SIZE),
  tokens: { whip: PUBLISH_TOKEN, whep: WATCH_TOKEN },
  page: await readFile(new URL('page.html', import.meta.url), 'utf8')
})
const http = createServer(service).listen(Number(PORT), HOST)
await once(http, 'listening')
console.log(JSON.stringify({ listening: (http.address() as AddressInfo).port }))
