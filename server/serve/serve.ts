// Serves a tier over WebSocket: one HTTP port for sessions, /healthz and /readyz.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Duplex } from 'node:stream'
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
import { socketDefaults } from '../../lib/socket-options.ts'
import { SocketLink, webSocketOptions } from '../../lib/socket.ts'
import type { Frame, Link, Tier } from '../../lib/tier.ts'
import { encodeFailure, encodeResult } from '../../lib/wire.ts'
import { checkProtection } from './exposure.ts'
import { AuthenticatedLink } from './authentication.ts'
import { openAccess } from './access.ts'
import type { Identity } from './identity.ts'
import { openLog } from './log.ts'
import { checkLimits, limitDefaults } from './limits.ts'
import { createHttp } from './http.ts'
import { Sessions, WrongSecretError } from './sessions.ts'
import { createAudit } from './audit.ts'
import { type HealthListener, listenForHealth } from './health.ts'
import type { Listener } from './listener.ts'
import { metricsAccess } from './metrics/access.ts'
import { openMetrics } from './metrics/endpoint.ts'
import { Entrance } from './metrics/entrance.ts'
import { Guesses } from './guesses.ts'
import type { ServeOptions, Server } from './options.ts'
import { withMonitor } from './monitor-page.ts'
import { withRoutes } from './routes/routes.ts'
import { openSession } from './open-session.ts'
import { type Peer, factsOf, nameSession } from './peer.ts'
import { respond } from './status.ts'
import { Overload } from './overload.ts'
import { realmOf } from './realm.ts'
import { Strangers } from './strangers.ts'
import { upgradeRefusal } from './upgrade.ts'
import { refuse, tokenIn } from './upgrade-answers.ts'
import { type Grant, createTokens } from './tokens.ts'
import { ConnectionCounter, type Tenant } from './connection-counter.ts'
import { ClientAddresses } from './client-address.ts'
import { boundConnections } from './connections.ts'

// Who connects has shown a token, or shows it at once.
const MAX_STRANGERS = 256

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
  const entrance = options.metrics || options.metricsListen ? new Entrance() : undefined
  const audited = createAudit(options.audit, tier.node, logger)
  const { audit, refused } = entrance?.counted(audited) ?? audited
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
  const overload = new Overload(budget, logger)
  const doors = { addresses, tokens, access, guesses, refused }
  const metrics =
    entrance &&
    (await openMetrics({
      ...options,
      read: async () => ({
        entrance,
        condition: condition(),
        node: tier.node,
        figures: await tier.figures?.(),
        webhooks: options.webhooks?.()
      }),
      check: metricsAccess(doors)
    }))
  const context = { tier, limits, maxBacklog, budget, access, audit, logger, open, entrance }
  const sessions = new Sessions<Peer>({
    tier,
    grace,
    maxBacklog,
    budget,
    admit,
    onSession: (...session) => void openSession(context, ...session),
    whose,
    entryOf: nameSession,
    realmOf: ({ identity }, realm) => realmOf(identity, realm),
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
  const answerHttp = options.healthListen ? answerClient : answer
  const monitored = options.monitor ? withMonitor(answerHttp) : answerHttp
  const pages = options.routes?.length
    ? withRoutes(
        options.routes,
        {
          ...doors,
          allowOrigins,
          isOpenLocally: !tokens && tls?.ca === undefined && !insecure,
          requests: new ConnectionCounter(limits, 'requests at once'),
          logger,
          isClosing: () => closing
        },
        monitored
      )
    : monitored
  const secure = createHttp(metrics?.on(pages) ?? pages, tls, logger, {
    onRefused: (socket, why) =>
      refused({ address: addresses.ofConnection(socket), reason: `TLS: ${why}` }),
    prepare: access.readAuthorities
  })
  const { http } = secure
  addresses.readHeaders(http, (address, reason) => refused({ address, reason }))
  const asksForSession = boundConnections(http)
  const ownPages = options.monitor ? { isProven: Boolean(tls ?? tokens) } : undefined
  let closing = false

  http.on('upgrade', onUpgrade)
  let health: HealthListener | undefined
  let metricsListener: Listener | undefined
  try {
    health = options.healthListen && (await listenForHealth(options.healthListen, answer))
    metricsListener = await metrics?.listen()
    await listen()
  } catch (error) {
    unwatch()
    void health?.close()
    void metricsListener?.close()
    throw error
  }
  http.on('error', error => logger.error(error))

  return {
    url: `${tls ? 'wss' : 'ws'}://${urlHost(host)}:${(http.address() as AddressInfo).port}`,
    healthUrl: health?.url,
    metricsUrl: metricsListener?.url,
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
    const { reason } = overload
    const { draining } = tier
    respond(url, { sessions: open.size, closing, draining, overload: reason }, response)
  }

  function condition() {
    return {
      sessions: open.size,
      draining: tier.draining ?? false,
      overloaded: overload.reason !== undefined,
      backlog: [...open].reduce((sum, { bufferedAmount }) => sum + bufferedAmount, 0),
      memoryUsed: budget.used
    }
  }

  async function onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer) {
    const address = addresses.of(request)
    const turnAway = (status: number, reason: string) => {
      refused({ address, status, reason, ...whoIs(grant) })
      refuse(socket, status, reason)
    }
    let grant: Grant | undefined
    if (closing) return turnAway(503, 'the server is shutting down')
    const wrong = upgradeRefusal(request, { sockets, allowOrigins, ownPages })
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

  function onSocket(socket: WebSocket, stream: Duplex, { address, identity }: Peer, grant?: Grant) {
    const link = new SocketLink(socket, stream, { silence, maxBacklog })
    const authentication =
      tokens && new AuthenticatedLink(link, tokens, grant, { onGrant: count, onRenewed, onRefused })
    audit('connected', { address, ...whoIs(grant) })
    if (tokens && !grant) link.once('frame', strangers.add(stream))
    const carrier = authentication ?? link
    identity.token = () => authentication?.grant
    access.watch(link, identity)
    links.add(link)
    entrance?.connection(stream)
    link.once('close', () => links.delete(link))
    const peer: Peer = { address, identity }
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

    async function onRefused(error: Error, isGuess: boolean) {
      refused({ address, reason: error.message, ...whoIs(authentication?.grant) }, error)
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
        return openSession(
          context,
          new BoundedLink(link, budget),
          peer,
          tier.open({
            budget,
            entry: nameSession(peer),
            realm: realmOf(peer.identity),
            whose: whose(peer)
          }),
          frame
        )
      }
      const { id } = opening
      await sessions.open(link, opening.opening, peer, opened =>
        link.send(encodeResult(id, { ...opened, maxPayload }))
      )
    } catch (error) {
      const facts = { ...factsOf(peer), address: peer.address, reason: (error as Error).message }
      refused(facts, error as Error)
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

  /** What is known of a peer's session once it is open. */
  function whose(peer: Peer) {
    return () => (peer.session === undefined ? undefined : access.sessions.factsOf(peer.session))
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
    before.identity = now.identity
    now.session = before.session
    now.entry = before.entry
    if (isResumed) audit('resumed', factsOf(now))
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
    await metricsListener?.close()
  }
}

const whoIs = (grant: Grant | undefined) => grant && { subject: grant.subject, jti: grant.tokenId }

const urlHost = (host: string) => (host.includes(':') ? `[${host}]` : host)
