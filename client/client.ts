// The mediasoup-shaped object of a tier, and the connection behind it.

import { once } from 'node:events'
import { version as localVersion, parseScalabilityMode } from 'mediasoup'
import type * as mediasoup from 'mediasoup'
import type * as ms from 'mediasoup/types'
import pRetry from 'p-retry'
import { type Found, type Wanted, wantedOf } from '../lib/borrow.ts'
import type { Draining } from '../lib/drain.ts'
import { checkDurations } from '../lib/duration.ts'
import { ConnectionError, IncompatibleError } from '../lib/errors.ts'
import { type Hello, type Location, PROTOCOL } from '../lib/hello.ts'
import type { IceServer } from '../lib/ice-server.ts'
import type { Load } from '../lib/load.ts'
import { EnhancedEventEmitter, errors, extras, ortc } from '../lib/mediasoup.ts'
import { digest } from '../lib/methods.ts'
import type { SurveyOptions } from '../lib/survey.ts'
import type { Tier } from '../lib/tier.ts'
import { Entity } from './entity.ts'
import { type Ask, type LiveSurvey, OpenSurvey } from './live-survey.ts'
import { Logger } from './logger.ts'
import { Session } from './session.ts'
import { findTracing } from './tracing.ts'

export type ConnectionEvents = {
  /**
   * The connection is lost. It is being replaced: within the tier's grace period calls wait, events
   * are kept, and nothing else happens.
   */
  lost: [error: Error]
  /**
   * The session is over: every Worker has died. A new one is tried, unless `reconnect` is false.
   */
  died: [error: Error]
  /** A try to open a new session failed; the next one follows. */
  failed: [error: Error]
  /**
   * There is a connection. True: the session was resumed; where a tier was replaced meanwhile, what
   * is gone has been told before, and something is left. False, after `died`: there is a new
   * session, and Workers can be created again.
   */
  regained: [resumed: boolean]
  /** What waited to be sent has left, see `bufferedAmount`. */
  drain: []
  /**
   * A host is to end: move what is on it. Emitted again when the deadline changes, or a proxy was
   * replaced.
   */
  draining: [host: DrainingHost]
  /** The drain of a host was cancelled. */
  drainCancelled: [node: string]
  /** The connection is over: by close(), or because the session died and `reconnect` is false. */
  close: []
}

/** A host that drains, and the objects that the client has there. */
export interface DrainingHost {
  /** The leaf, as locate() names it. */
  node: string
  /** When it ends, whatever is on it, in ms from now; undefined: when it has no Workers. */
  deadline: number | undefined
  /**
   * The Workers that end with it. A spanning Worker is not one of them while another host can take
   * over.
   */
  workers: ms.Worker[]
  /** The transports on it, of any Worker. */
  transports: ms.Transport[]
  rtpObservers: ms.RtpObserver[]
}

/** The connection behind a client. */
export interface Connection extends EnhancedEventEmitter<ConnectionEvents> {
  readonly connected: boolean
  /**
   * The bytes of calls and messages that wait to be sent, as of a WebSocket. Whoever sends many at
   * once waits for `drain` when they are too many: above 192 MiB (three quarters of `maxBacklog`),
   * calls reject, and `send()` of a DataProducer throws, a LimitError.
   *
   * @example
   * ```ts
   * for (const message of messages) {
   *   if (connection.bufferedAmount > 1024 * 1024) await once(connection, 'drain')
   *   dataProducer.send(message)
   * }
   * ```
   */
  readonly bufferedAmount: number
  /** The load of the tier. Rejects with ConnectionError when it is not connected. */
  getLoad(): Promise<Load>
  /**
   * What there is in the tier's tree, of all sessions, and then what changes. A connection has one
   * survey at a time. Rejects with AccessError without the scope `operate`.
   *
   * @example
   * ```ts
   * const survey = await mediasoup.connection.survey({ detail: 'workers' })
   * survey.on('change', () => draw(survey.entries.values()))
   * ```
   */
  survey(options?: Omit<SurveyOptions, 'subscribe'>): Promise<LiveSurvey>
  /**
   * Where an object of this client is: which leaf, and which Worker there. Rejects with
   * NotFoundError when it is closed.
   */
  locate(object: Locatable): Promise<Location>
  /**
   * What a Producer, or a DataProducer, of another session of the same realm is, and on which leaf.
   * From then on `router.canConsume()` knows the Producer. Rejects with NotFoundError when no such
   * session has it. `transport.consume()` takes its id, whether it was found before or not.
   *
   * @example
   * ```ts
   * const { kind } = await mediasoup.connection.find(producerId)
   * if (router.canConsume({ producerId, rtpCapabilities }))
   *   await transport.consume({ producerId, rtpCapabilities })
   * ```
   */
  find(wanted: string | Wanted): Promise<Found>
  /**
   * What a participant of the transport needs to reach it through the TURN server beside its host:
   * `iceServers` of an RTCPeerConnection, with credentials for a limited time. Empty where the host
   * has none.
   *
   * @throws TypeError for a transport of something else than this client
   */
  iceServers(transport: ms.WebRtcTransport): Promise<IceServer[]>
}

/**
 * A Worker, Router, transport, Producer, Consumer, …: of mediasoup's types, made by this client.
 */
export type Locatable = { readonly closed: boolean; readonly appData: ms.AppData }

/** What `import * as mediasoup from 'mediasoup'` gives, and the connection to the tier. */
export type RemoteMediasoup = typeof mediasoup & {
  readonly connection: Connection
  /** Closes the connection and everything that was created. */
  close(): void
}

export interface ClientOptions {
  /**
   * Whether a new session is tried when one has died, with exponential backoff between 100 ms and
   * 10 s. Default true.
   */
  reconnect?: boolean
  /** How long the tier may take to say hello, in ms. Default 10 s. */
  timeout?: number
}

/**
 * Opens a session on a tier, and gives an object used as `import * as mediasoup from 'mediasoup'`
 * would be.
 *
 * @throws ConnectionError when the tier cannot be reached; IncompatibleError when it describes
 *   mediasoup's API in another way.
 * @example
 * ```ts
 * const mediasoup = await client(leaf(localMediasoup)) // The mock: the same API, no network.
 * const worker = await mediasoup.createWorker()
 * ```
 */
export async function client(tier: Tier, options: ClientOptions = {}): Promise<RemoteMediasoup> {
  const remote = new Client(tier, options)
  await remote.open()
  return remote.mediasoup
}

/** The connection, which outlives its sessions. */
export class Client extends EnhancedEventEmitter<ConnectionEvents> implements Connection {
  readonly #tier: Tier
  readonly #options: Required<ClientOptions>
  readonly #logger = new Logger()
  readonly #observer = new EnhancedEventEmitter<ms.ObserverEvents>()
  readonly #closing = new AbortController()
  #session: Session | undefined
  #isLost = false
  #hello: Hello | undefined
  #survey: OpenSurvey | undefined

  constructor(tier: Tier, { reconnect = true, timeout = 10_000 }: ClientOptions) {
    super()
    checkDurations({ timeout }, 1)
    this.#tier = tier
    this.#options = { reconnect, timeout }
  }

  get connected() {
    return this.alive && !this.#isLost
  }

  /** Whether there is a session, be its connection lost or not. */
  get alive() {
    return this.#session !== undefined
  }

  get bufferedAmount() {
    return this.#session?.bufferedAmount ?? 0
  }

  async open() {
    const startSpan = await findTracing()
    const link = await this.#tier.open()
    if (this.#closing.signal.aborted) return link.close()
    const session = new Session(link, {
      logger: this.#logger,
      startSpan,
      onWorker: worker => this.#observer.safeEmit('newworker', worker as unknown as ms.Worker),
      onLost: error => this.#onLost(error),
      onRegained: () => this.#onRegained(),
      onDrain: () => {
        this.safeEmit('drain')
      },
      onForgotten: () => {
        this.#subscribeToLogs()
        this.#surveyAgain()
      },
      onSurvey: changes => this.#survey?.told(changes),
      onDraining: (host, objects) => this.#onDraining(host, objects),
      onClose: error => this.#onClose(session, error)
    })
    const abandon = () => session.close()
    this.#closing.signal.addEventListener('abort', abandon)
    try {
      this.#hello = await this.#greet(session)
    } catch (error) {
      session.close()
      throw error
    } finally {
      this.#closing.signal.removeEventListener('abort', abandon)
    }
    this.#session = session
    this.#isLost = false
    this.#subscribeToLogs()
    this.#surveyAgain()
  }

  // What the host logs about our Workers belongs to our log, too.
  #subscribeToLogs() {
    this.#session?.notify('tier.log', [this.#logger.levels])
  }

  async #greet(session: Session): Promise<Hello> {
    const { timeout } = this.#options
    const late = once(AbortSignal.timeout(timeout), 'abort').then(() => {
      throw new ConnectionError(`the tier did not say hello within ${timeout} ms`)
    })
    const answer = session.request('tier.hello', [{ protocol: PROTOCOL, model: digest }])
    const hello = (await Promise.race([answer, late])) as Hello
    if (hello?.protocol !== PROTOCOL)
      throw new IncompatibleError(`the tier must speak ${PROTOCOL} (it speaks ${hello?.protocol})`)
    if (hello.model !== digest) {
      throw new IncompatibleError(
        `the tier has mediasoup ${hello.mediasoup}, this client ${localVersion}, and their APIs differ: use the same version on both ends`
      )
    }
    if (hello.mediasoup !== localVersion) {
      const message = `the tier has mediasoup ${hello.mediasoup}, this client ${localVersion}`
      this.#logger.warn('Client', message)
      process.emitWarning(message, { code: 'MAFALDA_VERSIONS' })
    }
    return hello
  }

  #onLost(error: Error) {
    this.#isLost = true
    this.#logger.warn('Client', error.message)
    this.safeEmit('lost', error)
  }

  #onRegained() {
    this.#isLost = false
    this.safeEmit('regained', true)
  }

  #onDraining(
    { node, deadline, cancelled }: Draining,
    { workers, there }: { workers: Entity[]; there: Entity[] }
  ) {
    if (cancelled) return void this.safeEmit('drainCancelled', node)
    const ofKinds = (kinds: RegExp) => there.filter(({ row }) => kinds.test(row.kind)) as unknown[]
    this.safeEmit('draining', {
      node,
      deadline,
      workers: workers as unknown[] as ms.Worker[],
      transports: ofKinds(/Transport$/) as ms.Transport[],
      rtpObservers: ofKinds(/Observer$/) as ms.RtpObserver[]
    })
  }

  #onClose(session: Session, error: Error) {
    if (this.#session !== session) return
    this.#session = undefined
    if (!this.#isLost) this.#onLost(error)
    this.safeEmit('died', error)
    if (this.#options.reconnect) this.#reopen()
    else this.close()
  }

  async #reopen() {
    if (await this.keepOpening()) this.safeEmit('regained', false)
  }

  /** Tries until there is a connection; answers false when it was closed instead. */
  async keepOpening(): Promise<boolean> {
    try {
      await pRetry(() => this.open(), {
        retries: Infinity,
        randomize: true,
        minTimeout: 100,
        maxTimeout: 10_000,
        signal: this.#closing.signal,
        onFailedAttempt: ({ error }) => {
          this.safeEmit('failed', error)
        }
      })
    } catch {
      // Closed in the meantime.
    }
    return this.alive
  }

  close() {
    if (this.#closing.signal.aborted) return
    this.#closing.abort()
    this.#survey?.close()
    this.#session?.close()
    this.#session = undefined
    this.safeEmit('close')
  }

  async getLoad(): Promise<Load> {
    return (await this.#current().request('tier.load', [{ subscribe: false }])) as Load
  }

  async survey(options: SurveyOptions = {}): Promise<LiveSurvey> {
    if (this.#survey)
      throw new Error(
        'a connection has one survey: close that, or let it have more views with `also`'
      )
    const survey = new OpenSurvey(options, () => (this.#survey = undefined))
    this.#survey = survey
    try {
      await survey.open(this.#askSurvey())
    } catch (error) {
      survey.close()
      throw error
    }
    return survey
  }

  #askSurvey(): Ask {
    const session = this.#current()
    return options => session.request('tier.survey', [options])
  }

  // Whoever told it is another one now.
  #surveyAgain() {
    if (!this.#survey || !this.#session) return
    this.#survey
      .open(this.#askSurvey())
      .catch(error => this.#logger.warn('Client', `tier.survey failed: ${error.message}`))
  }

  async locate(object: Locatable): Promise<Location> {
    return (await this.#about('locate', object)) as Location
  }

  async iceServers(transport: ms.WebRtcTransport): Promise<IceServer[]> {
    return (await this.#about('iceServers', transport)) as IceServer[]
  }

  #about(method: 'locate' | 'iceServers', object: unknown) {
    if (!(object instanceof Entity))
      throw new TypeError(`${method}() takes an object that was made by this client`)
    return this.#current().request(`tier.${method}`, [object.handle])
  }

  async find(wanted: string | Wanted): Promise<Found> {
    const session = this.#current()
    const asked = wantedOf(typeof wanted === 'string' ? { producerId: wanted } : wanted)
    const found = (await session.request('tier.find', [asked])) as Found
    if (asked.producerId !== undefined) session.found.set(asked.producerId, found)
    return found
  }

  #current(): Session {
    if (this.#session) return this.#session
    throw new ConnectionError(
      this.#closing.signal.aborted
        ? 'the connection is closed'
        : 'the session died, and there is no new one yet'
    )
  }

  #createWorker = async (settings: ms.WorkerSettings = {}): Promise<ms.Worker> => {
    this.#logger.debug('', 'createWorker()')
    return (await this.#current().request(
      'mediasoup.createWorker',
      [settings],
      'create'
    )) as ms.Worker
  }

  readonly mediasoup = this.#mediasoup()

  #mediasoup(): RemoteMediasoup {
    const client = this
    return {
      get version() {
        return client.#hello!.mediasoup
      },
      get workerBin() {
        return client.#hello!.workerBin ?? ''
      },
      get observer() {
        return client.#observer
      },
      createWorker: this.#createWorker as typeof mediasoup.createWorker,
      setLogEventListeners: listeners => {
        this.#logger.setListeners(listeners)
        this.#subscribeToLogs()
      },
      getSupportedRtpCapabilities: () => structuredClone(client.#hello!.supportedRtpCapabilities),
      parseScalabilityMode,
      errors,
      extras,
      ortc,
      get default() {
        return this
      }, // As `import *` of a CommonJS module has it.
      connection: this,
      close: () => this.close()
    }
  }
}
