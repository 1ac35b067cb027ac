// Serves a tier over WebSocket: one HTTP port for sessions, /healthz and /readyz.

import { type IncomingMessage, STATUS_CODES, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Duplex } from 'node:stream'
import type { pino } from 'pino'
import { type WebSocket, WebSocketServer } from 'ws'
import { checkDurations } from '../../lib/duration.ts'
import { BoundedLink } from '../../lib/bounded-link.ts'
import { Budget, type Holder } from '../../lib/budget.ts'
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
import { checkProtection } from './exposure.ts'
import { AuthenticatedLink } from './authentication.ts'
import { openAccess } from './access.ts'
import type { Identity } from './identity.ts'
import { operatorCalls } from './operator-calls.ts'
import { AdmissionLink } from './admission.ts'
import { openLog } from './log.ts'
import { type Limits, checkLimits, limitDefaults } from './limits.ts'
import { type ServerTls, createHttp } from './http.ts'
import { Sessions, WrongSecretError } from './sessions.ts'
import { type Audit, type AuditRecord, createAudit } from './audit.ts'
import { type HealthAddress, type HealthListener, listenForHealth } from './health.ts'
import { Guesses } from './guesses.ts'
import { Overload } from './overload.ts'
import { Strangers } from './strangers.ts'
import { upgradeRefusal } from './upgrade.ts'
import { type Grant, type TokenOptions, createTokens } from './tokens.ts'
import { ConnectionCounter, type Tenant } from './connection-counter.ts'
import { ClientAddresses, type TrustedProxies } from './client-address.ts'
import { boundConnections } from './connections.ts'

// Who connects has shown a token, or shows it at once.
const MAX_STRANGERS = 256

export interface ServeOptions extends SocketOptions, TrustedProxies {
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
   * Who is not let in any more, as lines `sub SUBJECT` and `jti ID`: the path of a file, which is
   * read again, or its contents. Their open sessions end at once.
   */
  deny?: string | Buffer
  /**
   * What client certificates allow, as JSON: pattern of subjects → `{ scope, limits }`; the path of a
   * file, which is read again, or its contents. Default: everything.
   */
  clientScopes?: string | Buffer
  /** How long a session may be open, in ms. Default: any time. */
  maxSessionAge?: number
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
  /** Where /healthz and /readyz are. Default: on the port of clients. */
  healthListen?: HealthAddress
  /** Is told who came in, was refused, and left. */
  audit?: (record: AuditRecord) => void
  /** Default: warnings and errors, to stdout. */
  logger?: pino.Logger
}

export interface Server {
  /** Where clients connect to: `ws://host:port`, or `wss://`. */
  readonly url: string
  /** Where /healthz and /readyz are, if on a listener of their own: `http://host:port`. */
  readonly healthUrl: string | undefined
  /** How many sessions are open. */
  readonly sessions: number
  /**
   * Reads the files of `tls`, `tokens`, `deny` and `clientScopes` again, at once. Open sessions of
   * whoever is still let in go on.
   */
  reload(): void
  /** Adds a record to the audit: what did not come from a client. */
  audit: Audit['audit']
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
  /** Those of the connection that the session is on now. Its tokens, where there are any, */
  authentication: AuthenticatedLink | undefined
  /** A name of the session, which tells nothing about its key. */
  session?: string
  /** What its tokens and its certificate say. */
  identity: Identity
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
    logger = openLog('warn')
  } = options
  const {
    silence = socketDefaults.silence,
    maxPayload = socketDefaults.maxPayload,
    maxBacklog = socketDefaults.maxBacklog
  } = options
  checkDurations({ grace, 'tokens.grace': tokenOptions?.grace })
  checkDurations({ maxSessionAge: options.maxSessionAge }, 1)
  checkDurations({ silence }, 1)
  checkProtection({
    host,
    authenticates: tls?.ca !== undefined || tokenOptions !== undefined,
    insecure,
    isProxied: Boolean(options.trustProxy?.length)
  })
  const addresses = new ClientAddresses(options)
  const { audit, refused } = createAudit(options.audit, tier.node, logger)
  const guesses = new Guesses()
  const limits = { ...limitDefaults, ...checkLimits(options.limits ?? {}, limitDefaults) }
  // A session may outlive its connection, and a connection may be none yet.
  const [connections, tenants] = [new ConnectionCounter(limits), new ConnectionCounter(limits)]
  const access = await openAccess(options, logger)
  const tokens = tokenOptions && (await createTokens(tokenOptions, logger, access.checkNamed))
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
    subjectOf: ({ identity }) => identity.subject,
    onResume
  })
  const sockets = new WebSocketServer({
    noServer: true,
    path: '/',
    handleProtocols: () => PROTOCOL,
    maxPayload,
    ...webSocketOptions
  })
  const secure = createHttp(options.healthListen ? answerClient : answer, tls, logger, {
    onRefused: (socket, why) =>
      refused({ address: addresses.ofConnection(socket), reason: `TLS: ${why}` }),
    prepare: access.readAuthorities
  })
  const { http } = secure
  addresses.readHeaders(http, (address, reason) => refused({ address, reason }))
  const asksForSession = boundConnections(http)
  const overload = new Overload(budget, logger)
  let closing = false

  http.on('upgrade', onUpgrade)
  let health: HealthListener | undefined
  try {
    health = options.healthListen && (await listenForHealth(options.healthListen, answer))
    await listen()
  } catch (error) {
    unwatch()
    void health?.close()
    throw error
  }
  http.on('error', error => logger.error(error))

  return {
    url: `${tls ? 'wss' : 'ws'}://${urlHost(host)}:${(http.address() as AddressInfo).port}`,
    healthUrl: health?.url,
    get sessions() {
      return open.size
    },
    reload() {
      secure.reload()
      tokens?.reload()
      access.reload()
    },
    audit,
    close
  }

  function unwatch() {
    overload.end()
    secure.unwatch()
    tokens?.unwatch()
    access.unwatch()
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

  /** Where health has a listener of its own. */
  function answerClient(_request: IncomingMessage, response: ServerResponse) {
    answer({ url: '/' }, response)
  }

  function answer({ url }: Pick<IncomingMessage, 'url'>, response: ServerResponse) {
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
    const address = addresses.of(request)
    const turnAway = (status: number, reason: string) => {
      refused({ address, status, reason, ...whoIs(grant) })
      refuse(socket, status, reason)
    }
    let grant: Grant | undefined
    if (closing) return turnAway(503, 'the server is shutting down')
    const wrong = upgradeRefusal(request, { sockets, allowOrigins })
    if (wrong) return turnAway(...wrong)
    try {
      grant = await bearerOf(request, socket)
    } catch (error) {
      socket.on('error', () => {}) // Whoever is to wait may go.
      await guesses.wait(address)
      return turnAway(401, (error as Error).message)
    }
    let identity: Identity
    try {
      identity = access.identify(request.socket)
    } catch (error) {
      return turnAway(403, (error as Error).message)
    }
    if (closing) return turnAway(503, 'the server is shutting down')
    if (!tokens || grant) {
      const refusal = connections.refusal(address, holderOf(identity, grant))
      if (refusal) return turnAway(...refusal)
      socket.once('close', connections.add(address, holderOf(identity, grant)))
    }
    asksForSession(socket)
    sockets.handleUpgrade(request, socket, head, webSocket =>
      onSocket(webSocket, socket, { address, identity }, grant)
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
    { address, identity }: Pick<Peer, 'address' | 'identity'>,
    grant?: Grant
  ) {
    const link = new SocketLink(socket, stream, { silence, maxBacklog })
    const authentication =
      tokens && new AuthenticatedLink(link, tokens, grant, { onGrant: count, onRenewed, onRefused })
    audit('connected', { address, ...whoIs(grant) })
    if (tokens && !grant) link.once('frame', strangers.add(stream))
    const carrier = authentication ?? link
    identity.token = () => authentication?.grant
    access.watch(link, identity)
    links.add(link)
    link.once('close', () => links.delete(link))
    const peer: Peer = { address, authentication, identity }
    carrier.once('frame', frame => begin(carrier, frame, peer))

    /** It is known who is there: the connection counts from now on. */
    function count(grant: Grant) {
      const refusal = connections.refusal(address, holderOf(identity, grant))
      if (refusal) throw new LimitError(codes.sessions, refusal[1])
      stream.once('close', connections.add(address, holderOf(identity, grant)))
    }

    function onRenewed() {
      audit('renewed', factsOf(peer))
    }

    async function onRefused({ message: reason }: Error, isGuess: boolean) {
      refused({ address, reason, ...whoIs(authentication?.grant) })
      if (isGuess) await guesses.wait(address)
    }
  }

  // The first frame says which session the connection belongs to; without that it is one of its
  // own, which ends with it.
  async function begin(link: Link, frame: Frame, peer: Peer) {
    let opening: ReturnType<typeof openingOf>
    link.pause() // What follows waits until there is a session that takes it.
    try {
      access.check(peer.identity)
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
      refused({ ...factsOf(peer), address: peer.address, reason: (error as Error).message })
      if (error instanceof WrongSecretError) await guesses.wait(peer.address)
      link.send(
        encodeFailure(
          opening?.id ?? (error instanceof ProtocolError ? error.id : null),
          describeError(error)
        )
      )
      const { closeCode } =
        error instanceof LimitError || error instanceof AccessError
          ? error
          : { closeCode: closeCodes.internalError }
      link.close(new ConnectionError((error as Error).message, { closeCode }))
    }
  }

  /**
   * Counts one more session of a peer, before anything is opened for it. Answers what to call when
   * the session ends. Throws a LimitError.
   */
  function admit({ address, identity }: Peer): () => void {
    const { reason } = overload
    if (reason) throw new LimitError(codes.sessions, `this tier takes no new sessions: ${reason}`)
    const holder = holderOf(identity, identity.token())
    const refusal = tenants.refusal(address, holder)
    if (refusal) throw new LimitError(codes.sessions, refusal[1])
    return tenants.add(address, holder)
  }

  /** Tiers above may operate. A token may do no more than the certificate that comes with it. */
  function holderOf(identity: Identity, token: Grant | undefined): Tenant {
    const isKnown = tokens !== undefined || tls?.ca !== undefined
    const subject = token?.subject ?? identity.subject ?? (token && '')
    const grants = [token, identity.grant]
    const isTier = isKnown && grants.every(grant => grant?.scopes.has('operate') ?? true)
    return { subject, isTier }
  }

  /** A session that is on another connection now has the rights of the token there. */
  function onResume(before: Peer, now: Peer, isResumed: boolean) {
    before.address = now.address
    before.authentication = now.authentication
    before.identity = now.identity
    now.session = before.session
    if (isResumed) audit('resumed', factsOf(now))
  }

  /**
   * @param link is paused
   * @param first a frame that has come already
   */
  async function openSession(
    link: Link & Holder,
    peer: Peer,
    opened: Promise<Link>,
    first?: Frame
  ) {
    const { address } = peer
    const admission = new AdmissionLink(
      link,
      limits,
      () => peer.identity.grant,
      tier.retains ? budget : undefined
    )
    admission.onDrain = event => audit(event, factsOf(peer))
    open.add(admission)
    const { id, leave } = access.sessions.add(peer, link, admission)
    peer.session = id
    admission.operatorCalls = operatorCalls(access.sessions, id, kicked => {
      logger.warn({ by: peer.identity.subject, ...kicked }, 'sessions were ended by the operator')
      audit('kicked', { ...factsOf(peer), kicked })
    })
    let closed = false
    admission.once('close', error => {
      closed = true
      open.delete(admission)
      leave()
      logger.info(
        { peer: address, session: id, sessions: open.size, reason: error?.message },
        'session closed'
      )
      audit('closed', { ...factsOf(peer), reason: error?.message })
    })
    logger.info(
      { peer: address, session: id, sessions: open.size, subject: peer.identity.subject },
      'session opened'
    )
    audit('opened', factsOf(peer))
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
    await health?.close()
  }
}

const whoIs = (grant: Grant | undefined) => grant && { subject: grant.subject, jti: grant.tokenId }

const factsOf = ({ address, session, identity }: Peer) => ({
  address,
  session,
  subject: identity.subject,
  jti: identity.token()?.tokenId
})

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

const EXTRA_HEADERS: Record<number, string> = {
  401: '\r\nwww-authenticate: Bearer',
  426: '\r\nupgrade: websocket\r\nsec-websocket-version: 13'
}

function refuse(socket: Duplex, status: number, message: string) {
  socket.on('error', () => {}) // Whoever is refused may be gone already.
  socket.once('finish', () => socket.destroy()) // Or stay.
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: text/plain${EXTRA_HEADERS[status] ?? ''}\r\nconnection: close\r\n\r\n${message}\n`
  )
}

const urlHost = (host: string) => (host.includes(':') ? `[${host}]` : host)
