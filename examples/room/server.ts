// The application server of the room: the page over HTTP, the signalling over a WebSocket. room.ts
// uses mediasoup.

import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { build } from 'esbuild'
import { WebSocketServer, type WebSocket } from 'ws'
import { methods, Room, type Notify, type Participant, type RoomOptions } from './room.ts'

const PING_INTERVAL_MS = 10_000
const MAX_FRAME_BYTES = 256 * 1024
const MAX_NAME_LENGTH = 40

export interface RoomServerOptions
  extends Pick<RoomOptions, 'mediasoup'>,
    Partial<Omit<RoomOptions, 'mediasoup'>> {
  /** Default 0: a free one. */
  port?: number
  /** The address where the page is served. Default 127.0.0.1. */
  host?: string
}

export interface RoomServer {
  /** Of the page. */
  url: string
  close(): Promise<void>
}

export async function startRoom({
  mediasoup,
  port = 0,
  host = '127.0.0.1',
  locate,
  listenInfos = [
    { protocol: 'udp', ip: '127.0.0.1' },
    { protocol: 'tcp', ip: '127.0.0.1' }
  ]
}: RoomServerOptions): Promise<RoomServer> {
  const files = await bundlePage()
  const http = createServer((request, response) => serveFile(files, request, response))
  await once(http.listen(port, host), 'listening')
  const signalling = new WebSocketServer({ server: http, maxPayload: MAX_FRAME_BYTES })
  const heartbeat = keepAlive(signalling)
  let room: Promise<Room> | undefined

  // The first to join opens the room, and so does the first to join after its Worker has died.
  function currentRoom(): Promise<Room> {
    room ??= openRoom()
    return room
  }

  async function openRoom(): Promise<Room> {
    try {
      return (await Room.open({ mediasoup, listenInfos, locate })).once('close', forgetRoom)
    } catch (error) {
      forgetRoom()
      throw error
    }
  }

  function forgetRoom(): void {
    room = undefined
  }

  signalling.on('connection', socket => serveParticipant(socket, currentRoom))

  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${(http.address() as AddressInfo).port}/`,
    async close() {
      clearInterval(heartbeat)
      for (const socket of signalling.clients) socket.terminate()
      http.close()
      http.closeAllConnections()
      await once(http, 'close')
      const open = await room?.catch(() => undefined)
      open?.close()
    }
  }
}

function serveParticipant(socket: WebSocket, currentRoom: () => Promise<Room>): void {
  let joining: Promise<Participant> | undefined

  const notify: Notify = (notice, data) => socket.send(JSON.stringify({ notice, data }))

  async function answer(method: string, data: unknown): Promise<unknown> {
    if (method === 'join') {
      if (joining) throw new Error('a participant can join only once')
      joining = currentRoom().then(room => room.admit(nameIn(data), notify))
      return (await joining).enter()
    }
    const known = methods.find(name => name === method)
    if (!known) throw new Error(`method must be join, ${methods.join(', ')} (got ${method})`)
    if (!joining) throw new Error('join must come first')
    // mediasoup checks what a browser sends.
    return (await joining)[known](data as never)
  }

  socket.on('message', async frame => {
    const request = parse(String(frame))
    if (!request) return socket.close(1007, 'not a request')
    try {
      socket.send(
        JSON.stringify({ id: request.id, result: await answer(request.method, request.data) })
      )
    } catch (error) {
      socket.send(
        JSON.stringify({
          id: request.id,
          error: error instanceof Error ? error.message : String(error)
        })
      )
    }
  })

  socket.on('close', () => {
    joining?.then(
      participant => participant.leave(),
      () => {
        /* never was in the room */
      }
    )
  })

  // 'close' follows.
  socket.on('error', () => {})
}

function parse(frame: string): { id: number; method: string; data: unknown } | undefined {
  try {
    const { id, method, data } = JSON.parse(frame)
    return { id, method: String(method), data: data ?? {} }
  } catch {
    return undefined
  }
}

function nameIn(data: unknown): string {
  const { name } = data as { name?: unknown }
  return (
    String(name ?? '')
      .trim()
      .slice(0, MAX_NAME_LENGTH) || 'Guest'
  )
}

/**
 * A phone that loses its network does not say so: without an answer until the next ping, it has
 * left.
 */
function keepAlive(signalling: WebSocketServer): NodeJS.Timeout {
  const silent = new WeakSet<WebSocket>()
  signalling.on('connection', socket => socket.on('pong', () => silent.delete(socket)))
  return setInterval(() => {
    for (const socket of signalling.clients) {
      if (silent.has(socket)) socket.terminate()
      silent.add(socket)
      socket.ping()
    }
  }, PING_INTERVAL_MS)
}

type Files = Map<string, { type: string; body: string | Uint8Array }>

async function bundlePage(): Promise<Files> {
  const folder = join(import.meta.dirname, 'page')
  const [script, html, css] = await Promise.all([
    build({
      entryPoints: [join(folder, 'page.ts')],
      bundle: true,
      format: 'esm',
      target: 'es2022',
      write: false
    }),
    readFile(join(folder, 'page.html')),
    readFile(join(folder, 'page.css'))
  ])
  return new Map([
    ['/', { type: 'text/html', body: html }],
    ['/page.css', { type: 'text/css', body: css }],
    ['/page.js', { type: 'text/javascript', body: script.outputFiles[0]!.contents }]
  ])
}

function serveFile(files: Files, request: IncomingMessage, response: ServerResponse): void {
  const file = files.get(request.url?.split('?')[0] ?? '/')
  if (!file) {
    response.writeHead(404).end()
    return
  }
  response
    .writeHead(200, { 'content-type': `${file.type}; charset=utf-8`, 'cache-control': 'no-store' })
    .end(file.body)
}
