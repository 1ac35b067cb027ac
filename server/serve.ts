// Serves a tier over WebSocket: one HTTP port for sessions, /healthz and /readyz.

import { type IncomingMessage, type ServerResponse, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Duplex } from 'node:stream'
import { pino } from 'pino'
import { type WebSocket, WebSocketServer } from 'ws'
import { ConnectionError, closeCodes, describeError } from '../lib/errors.ts'
import { PROTOCOL } from '../lib/hello.ts'
import { openingOf } from '../lib/opening.ts'
import { type SocketOptions, socketDefaults } from '../lib/socket-options.ts'
import { SocketLink, webSocketOptions } from '../lib/socket.ts'
import { type Frame, type Link, type Tier, join } from '../lib/tier.ts'
import { encodeFailure, encodeResult } from '../lib/wire.ts'
import { Sessions } from './sessions.ts'

export interface ServeOptions extends SocketOptions {
  /** Default 127.0.0.1. */
  host?: string
  /** Default 0: the system chooses. */
  port?: number
  /** How long a session outlives its connection, in ms; 0 to end it with that. Default 30 s. */
  grace?: number
  /** Default: warnings and errors, to stdout. */
  logger?: pino.Logger
}

export interface Server {
  /** Where clients connect to: `ws://host:port`. */
  readonly url: string
  /** How many sessions are open. */
  readonly sessions: number
  /** Ends every session, and with them what they own; resolves when the port is free. */
  close(): Promise<void>
}

/**
 * Serves a tier. Rejects with the system's error when it cannot listen (EADDRINUSE, EACCES, …).
 *
 * @example
 * ```ts
 * const server = await serve(leaf(mediasoup), { host: '0.0.0.0', port: 4000 })
 * console.log(server.url)
 * ```
 */
export async function serve(tier: Tier, options: ServeOptions = {}): Promise<Server> {
  const { host = '127.0.0.1', port = 0, grace = 30_000, logger = pino({ name: 'mafalda', level: 'warn' }) } = options
  const { silence, maxPayload, maxBacklog } = { ...socketDefaults, ...options }
  const links = new Set<SocketLink>()
  const open = new Set<Link>()
  const sessions = new Sessions<string | undefined>({ grace, maxBacklog, onSession: (link, peer) => void openSession(link, peer) })
  const sockets = new WebSocketServer({ noServer: true, handleProtocols: () => PROTOCOL, maxPayload, ...webSocketOptions })
  const http = createServer(answer)
  let closing = false

  http.on('upgrade', onUpgrade)
  await listen()
  http.on('error', error => logger.error(error))

  return {
    url: `ws://${urlHost(host)}:${(http.address() as AddressInfo).port}`,
    get sessions() { return open.size },
    close
  }

  function listen() {
    return new Promise<void>((resolve, reject) => {
      http.once('error', reject)
      http.listen(port, host, () => {
        http.off('error', reject)
        resolve()
      })
    })
  }

  function answer({ url }: IncomingMessage, response: ServerResponse) {
    const [status, body] =
      url === '/healthz' ? [200, { status: 'ok', sessions: open.size }] :
      url === '/readyz' ? (closing ? [503, { status: 'closing' }] : [200, { status: 'ready' }]) :
      [426, { error: `this is a Mafalda tier: connect to it by WebSocket, with the subprotocol ${PROTOCOL}` }]
    response.writeHead(status as number, { 'content-type': 'application/json' }).end(JSON.stringify(body) + '\n')
  }

  function onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer) {
    const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map(name => name.trim())
    if (closing) return refuse(socket, 503, 'the server is shutting down')
    if (!offered.includes(PROTOCOL)) return refuse(socket, 400, `the subprotocol must be ${PROTOCOL} (got ${offered.join() || 'none'})`)
    sockets.handleUpgrade(request, socket, head, webSocket => onSocket(webSocket, socket, request))
  }

  function onSocket(socket: WebSocket, stream: Duplex, { socket: { remoteAddress: peer } }: IncomingMessage) {
    const link = new SocketLink(socket, stream, { silence, maxBacklog })
    links.add(link)
    link.once('close', () => links.delete(link))
    link.once('frame', frame => begin(link, frame, peer))
  }

  // The first frame says which session the connection belongs to; without that it is one of its own, which ends with it.
  function begin(link: SocketLink, frame: Frame, peer: string | undefined) {
    let opening: ReturnType<typeof openingOf>
    try {
      opening = openingOf(frame)
      if (!opening) return openSession(link, peer, [frame])
      const { id } = opening
      sessions.open(link, opening.opening, peer, opened => link.send(encodeResult(id, opened)))
    } catch (error) {
      link.send(encodeFailure(opening?.id ?? null, describeError(error)))
      link.close(new ConnectionError((error as Error).message, { closeCode: closeCodes.internalError }))
    }
  }

  /** @param early frames that have come already */
  async function openSession(link: Link, peer: string | undefined, early: Frame[] = []) {
    open.add(link)
    let closed = false
    link.once('close', error => {
      closed = true
      open.delete(link)
      logger.info({ peer, sessions: open.size, reason: error?.message }, 'session closed')
    })
    logger.info({ peer, sessions: open.size }, 'session opened')
    const keep = (frame: Frame) => { early.push(frame) }
    link.on('frame', keep)
    try {
      const session = await tier.open()
      if (closed) return session.close()
      link.off('frame', keep)
      join(link, session)
      for (const frame of early) session.send(frame)
    } catch (error) {
      logger.error({ peer, err: error }, 'the tier could not be opened')
      link.close(error as Error)
    }
  }

  async function close() {
    closing = true
    const closed = new Promise<void>(resolve => http.close(() => resolve()))
    const left = [...links].map(link => new Promise<void>(resolve => link.once('close', () => resolve())))
    for (const link of links) link.leave()
    sessions.close()
    await Promise.all(left)
    // Those that never asked for anything, too.
    http.closeAllConnections()
    await closed
  }
}

function refuse(socket: Duplex, status: number, message: string) {
  socket.on('error', () => {}) // Whoever is refused may be gone already.
  socket.end(`HTTP/1.1 ${status} ${status === 400 ? 'Bad Request' : 'Service Unavailable'}\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\n${message}\n`)
}

const urlHost = (host: string) => host.includes(':') ? `[${host}]` : host
