// Serves a tier over WebSocket: one HTTP port for sessions, /healthz and /readyz.

import { type IncomingMessage, STATUS_CODES, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Duplex } from 'node:stream'
import { pino } from 'pino'
import { type WebSocket, WebSocketServer } from 'ws'
import { checkDurations } from '../../lib/duration.ts'
import { BoundedLink } from '../../lib/bounded-link.ts'
import { Budget } from '../../lib/budget.ts'
import {
  AccessError,
  ConnectionError,
  LimitError,
  ProtocolError,
  closeCodes,
  codes,
  describeError
} from '../../lib/errors.ts'
import { PROTOCOL } from '../../lib/hello.ts'
import { openingOf } from '../../lib/handshake.ts'
import { type SocketOptions, socketDefaults } from '../../lib/socket-options.ts'
import { SocketLink, webSocketOptions } from '../../lib/socket.ts'
import { type Frame, type Link, type Tier, join } from '../../lib/tier.ts'
import { encodeFailure, encodeResult } from '../../lib/wire.ts'
import { checkProtection, isOriginAllowed } from './exposure.ts'
import { AuthenticatedLink } from './authentication.ts'
import { AdmissionLink } from './admission.ts'
import { type Limits, checkLimits, limitDefaults } from './limits.ts'
import { type ServerTls, createHttp } from './http.ts'
import { Overload } from './overload.ts'
import { Sessions } from './sessions.ts'
import { Strangers } from './strangers.ts'
import { type Grant, type TokenOptions, createTokens } from './tokens.ts'
import { ConnectionCounter } from './connection-counter.ts'

// Who connects has shown a token, or shows it at once.
const MAX_STRANGERS = 256

export interface ServeOptions extends SocketOptions {
  /** Default 127.0.0.1. */
  host?: string
  /** Default 0: the system chooses. */
  port?: number
  /**
   * Serves `wss://`; with a `ca`, only to clients with a certificate of it. Files are read again
   * within a second of a change.
   */
  tls?: ServerTls
  /** Lets in only clients with a token, which may do what it allows. */
  tokens?: TokenOptions
  /**
   * What sessions may ask for, and how many there may be: some of `sessions`, `rate`, `inFlight`,
   * `workers`, … (see limits.ts).
   */
  limits?: Partial<Limits>
  /**
   * Whether other hosts may reach the tier without tokens or client certificates. Default false:
   * serve() rejects.
   */
  insecure?: boolean
  /**
   * Origins of pages from which browsers may connect (`https://app.example`), or `*`. Default:
   * none. Other clients need none.
   */
  allowOrigins?: string[]
  /** How long a session outlives its connection, in ms; 0: not at all. Default 30 s. */
  grace?: number
  /**
   * How many bytes all sessions together may keep: for peers that do not take them, here and on the
   * tiers below, and with the objects that this process has. Above nine tenths, no new sessions come
   * in; above all of it, the session that keeps most ends. Default: a quarter of what V8's heap,
   * or the memory of the machine, may be.
   */
  maxMemory?: number
  /** Default: warnings and errors, to stdout. */
  logger?: pino.Logger
}

export interface Server {
  /** Where clients connect to: `ws://host:port`, or `wss://`. */
  readonly url: string
  /** How many sessions are open. */
  readonly sessions: number
  /** Reads the files of `tls` and `tokens` again, at once. Open sessions go on. */
  reload(): void
  /**
   * Ends every session, with its objects; resolves when the port is free.
   *
   * @param options.comesBack leaves the objects of the sessions on the tiers below for the grace
   *   period there: another process takes over, and they go on. Only for a resumable tier.
   */
  close(options?: { comesBack?: boolean }): Promise<void>
}

/** Who is at the other end of a session. */
interface Peer {
  address: string
  /** That of the connection that the session is on now, where there are tokens. */
  authentication: AuthenticatedLink | undefined
}

/**
 * Serves a tier. Rejects with the system's error when it cannot listen (EADDRINUSE, EACCES, …),
 * with ERR_INSECURE when other hosts could reach it without tokens or client certificates, and with
 * a RangeError for a time that no timer can wait for.
 *
 * @example
 * ```ts
 * const server = await serve(leaf(mediasoup), { port: 4000 })
 * console.log(server.url)
 * ```
 */
export async function serve(tier: Tier, options: ServeOptions = {}): Promise<Server> {
  const {
    host = '127.0.0.1',
    port = 0,
    grace = 30_000,
    tls,
    tokens: tokenOptions,
    insecure = false,
    allowOrigins = [],
    logger = pino({ name: 'mafalda', level: 'warn' })
  } = options
  const {
    silence = socketDefaults.silence,
    maxPayload = socketDefaults.maxPayload,
    maxBacklog = socketDefaults.maxBacklog
  } = options
  checkDurations({ grace, 'tokens.grace': tokenOptions?.grace })
  checkDurations({ silence }, 1)
  checkProtection({
    host,
    authenticates: tls?.ca !== undefined || tokenOptions !== undefined,
    insecure
  })
  const limits = { ...limitDefaults, ...checkLimits(options.limits ?? {}, limitDefaults) }
  // A session may outlive its connection, and a connection may be none yet.
  const [connections, tenants] = [new ConnectionCounter(limits), new ConnectionCounter(limits)]
  const tokens = tokenOptions && (await createTokens(tokenOptions, logger))
  const strangers = new Strangers(MAX_STRANGERS)
  const budget = new Budget(options.maxMemory)
  const links = new Set<SocketLink>()
  const open = new Set<Link>()
  const sessions = new Sessions<Peer>({
    tier,
    grace,
    maxBacklog,
    budget,
    admit,
    onSession: (...session) => void openSession(...session),
    subjectOf: ({ authentication }) => authentication?.grant?.subject,
    onResume
  })
  const sockets = new WebSocketServer({
    noServer: true,
    handleProtocols: () => PROTOCOL,
    maxPayload,
    ...webSocketOptions
  })
  const secure = createHttp(answer, tls, logger)
  const { http } = secure
  const overload = new Overload(budget, logger)
  let closing = false

  http.on('upgrade', onUpgrade)
  await listen().catch(error => {
    unwatch()
    throw error
  })
  http.on('error', error => logger.error(error))

  return {
    url: `${tls ? 'wss' : 'ws'}://${urlHost(host)}:${(http.address() as AddressInfo).port}`,
    get sessions() {
      return open.size
    },
    reload() {
      secure.reload()
      tokens?.reload()
    },
    close
  }

  function unwatch() {
    overload.end()
    secure.unwatch()
    tokens?.unwatch()
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
      url === '/healthz'
        ? [200, { status: 'ok', sessions: open.size }]
        : url === '/readyz'
          ? closing
            ? [503, { status: 'closing' }]
            : tier.draining
              ? [503, { status: 'draining' }]
              : overload.reason
                ? [503, { status: 'overloaded', reason: overload.reason }]
                : [200, { status: 'ready' }]
          : [
              426,
              {
                error: `this is a Mafalda tier: connect to it by WebSocket, with the subprotocol ${PROTOCOL}`
              }
            ]
    response
      .writeHead(status as number, { 'content-type': 'application/json' })
      .end(JSON.stringify(body) + '\n')
  }

  async function onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer) {
    const offered = (request.headers['sec-websocket-protocol'] ?? '')
      .split(',')
      .map(name => name.trim())
    if (closing) return refuse(socket, 503, 'the server is shutting down')
    if (!offered.includes(PROTOCOL))
      return refuse(
        socket,
        400,
        `the subprotocol must be ${PROTOCOL} (got ${offered.join() || 'none'})`
      )
    const { origin } = request.headers
    if (!isOriginAllowed(origin, allowOrigins))
      return refuse(
        socket,
        403,
        `pages of ${origin} may not connect: the operator allows origins by --allow-origin`
      )
    let grant: Grant | undefined
    try {
      grant = await bearerOf(request, socket)
    } catch (error) {
      return refuse(socket, 401, (error as Error).message)
    }
    if (closing) return refuse(socket, 503, 'the server is shutting down')
    if (!tokens || grant) {
      const address = request.socket.remoteAddress ?? ''
      const refusal = connections.refusal(address)
      if (refusal) return refuse(socket, ...refusal)
      socket.once('close', connections.add(address))
    }
    sockets.handleUpgrade(request, socket, head, webSocket =>
      onSocket(webSocket, socket, request, grant)
    )
  }

  /** What a token in the upgrade allows, if there is one. */
  async function bearerOf(
    { headers: { authorization } }: IncomingMessage,
    socket: Duplex
  ): Promise<Grant | undefined> {
    if (!tokens || authorization === undefined) return undefined
    const ignore = () => {} // The socket is looked at again when it is known who this is.
    socket.on('error', ignore)
    try {
      return await tokens.verify(tokenIn(authorization))
    } finally {
      socket.off('error', ignore)
    }
  }

  function onSocket(
    socket: WebSocket,
    stream: Duplex,
    { socket: { remoteAddress: address = '' } }: IncomingMessage,
    grant?: Grant
  ) {
    const link = new SocketLink(socket, stream, { silence, maxBacklog })
    const authentication = tokens && new AuthenticatedLink(link, tokens, grant, count)
    if (tokens && !grant) link.once('frame', strangers.add(stream))
    const carrier = authentication ?? link
    links.add(link)
    link.once('close', () => links.delete(link))
    carrier.once('frame', frame => begin(carrier, frame, { address, authentication }))

    /** It is known who is there: the connection counts from now on. */
    function count() {
      const refusal = connections.refusal(address)
      if (refusal) throw new LimitError(codes.sessions, refusal[1])
      stream.once('close', connections.add(address))
    }
  }

  // The first frame says which session the connection belongs to; without that it is one of its
  // own, which ends with it.
  async function begin(link: Link, frame: Frame, peer: Peer) {
    let opening: ReturnType<typeof openingOf>
    link.pause() // What follows waits until there is a session that takes it.
    try {
      opening = openingOf(frame)
      if (!opening) {
        link.once('close', admit(peer))
        return openSession(new BoundedLink(link, budget), peer, tier.open({ budget }), frame)
      }
      const { id } = opening
      await sessions.open(link, opening.opening, peer, opened =>
        link.send(encodeResult(id, { ...opened, maxPayload }))
      )
    } catch (error) {
      link.send(
        encodeFailure(
          opening?.id ?? (error instanceof ProtocolError ? error.id : null),
          describeError(error)
        )
      )
      const { closeCode } =
        error instanceof LimitError ? error : { closeCode: closeCodes.internalError }
      link.close(new ConnectionError((error as Error).message, { closeCode }))
    }
  }

  /**
   * Counts one more session of a peer, before anything is opened for it. Answers what to call when
   * the session ends. Throws a LimitError.
   */
  function admit({ address }: Peer): () => void {
    const { reason } = overload
    if (reason) throw new LimitError(codes.sessions, `this tier takes no new sessions: ${reason}`)
    const refusal = tenants.refusal(address)
    if (refusal) throw new LimitError(codes.sessions, refusal[1])
    return tenants.add(address)
  }

  /** A session that is on another connection now has the rights of the token there. */
  function onResume(before: Peer, now: Peer) {
    before.authentication = now.authentication
  }

  /**
   * @param link is paused
   * @param first a frame that has come already
   */
  async function openSession(link: Link, peer: Peer, opened: Promise<Link>, first?: Frame) {
    const { address } = peer
    const admission = new AdmissionLink(
      link,
      limits,
      () => peer.authentication?.grant,
      tier.retains ? budget : undefined
    )
    open.add(admission)
    let closed = false
    admission.once('close', error => {
      closed = true
      open.delete(admission)
      logger.info({ peer: address, sessions: open.size, reason: error?.message }, 'session closed')
    })
    logger.info(
      { peer: address, sessions: open.size, subject: peer.authentication?.grant?.subject },
      'session opened'
    )
    link.once('dropped', ({ message: reason }) =>
      logger.warn(
        { peer: address, reason },
        'a message was not sent: this is the first of its session'
      )
    )
    try {
      const session = await opened
      if (closed) return session.close()
      join(admission, session)
      pace(admission, session, Math.min(MAX_UNREAD_BYTES, maxBacklog / 2))
      if (first !== undefined) admission.receive(first)
      admission.resume()
    } catch (error) {
      logger.error({ peer: address, err: error }, 'the tier could not be opened')
      admission.close(error as Error)
    }
  }

  async function close({ comesBack = false } = {}) {
    closing = true
    unwatch()
    const closed = new Promise<void>(resolve => http.close(() => resolve()))
    const left = [...links].map(
      link => new Promise<void>(resolve => link.once('close', () => resolve()))
    )
    if (!comesBack) sessions.close()
    for (const link of links) link.leave(comesBack)
    await Promise.all(left)
    // Those that never asked for anything, too.
    http.closeAllConnections()
    await closed
  }
}

// When this much waits for a client, it is not asked for more.
const MAX_UNREAD_BYTES = 1024 * 1024

/** A client that does not take its answers, or whose messages the tier cannot take, is not read. */
function pace(client: Link, session: Link, maxUnread: number) {
  const mustWait = () => client.bufferedAmount > maxUnread || session.bufferedAmount === Infinity
  const goOn = () => {
    if (!mustWait()) client.resume()
  }
  client.on('frame', () => {
    if (mustWait()) client.pause()
  })
  client.on('drain', goOn)
  session.on('drain', goOn)
}

// RFC 6750, 2.1
function tokenIn(authorization: string): string {
  const [, token] = /^Bearer +(\S+)$/i.exec(authorization) ?? []
  if (!token)
    throw new AccessError(codes.unauthenticated, 'Authorization must be Bearer, and a token')
  return token
}

function refuse(socket: Duplex, status: number, message: string) {
  socket.on('error', () => {}) // Whoever is refused may be gone already.
  socket.once('finish', () => socket.destroy()) // Or stay.
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: text/plain${status === 401 ? '\r\nwww-authenticate: Bearer' : ''}\r\nconnection: close\r\n\r\n${message}\n`
  )
}

const urlHost = (host: string) => (host.includes(':') ? `[${host}]` : host)
