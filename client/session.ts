// One session on a tier, seen from the client: its calls in flight, and its objects by their
// handles.

import { LRUCache } from 'lru-cache'
import type { Found } from '../lib/borrow.ts'
import { type Announcement, GONE, type Reference, decodeValue } from '../lib/codec.ts'
import type { Draining } from '../lib/drain.ts'
import {
  ConnectionError,
  ProtocolError,
  UnknownOutcomeError,
  codes,
  reviveError,
  unknownOutcome
} from '../lib/errors.ts'
import type { LogLevel } from '../lib/hello.ts'
import { errors } from '../lib/mediasoup.ts'
import type { MethodRole } from '../lib/methods.ts'
import { MAX_MEDIA_BACKLOG_BYTES } from '../lib/outgoing.ts'
import { type Recalled, type RecallOptions, nodesOf } from '../lib/recall.ts'
import type { SurveyChanges } from '../lib/survey.ts'
import type { Frame, Link } from '../lib/tier.ts'
import {
  type Handle,
  type Id,
  type Message,
  badRequest,
  decode,
  encodeNotification,
  encodeRequest
} from '../lib/wire.ts'
import { Reconciliation } from './reconcile.ts'
import type { Entity, ObjectSession } from './entity.ts'
import { GivenUp } from './given-up.ts'
import { TurnQueue } from './turn-queue.ts'
import type { Logger } from './logger.ts'
import type { StartSpan } from './tracing.ts'
import { WorkerImpl, classes } from './objects.ts'

interface Pending {
  method: string
  role: MethodRole | undefined
  target: Entity | undefined
  token: number | undefined
  resolve(value: unknown): void
  reject(error: Error): void
}

export interface SessionOptions {
  logger: Logger
  /** Begins the span of a call, where the application has set that up. */
  startSpan: StartSpan | undefined
  /** A Worker was announced. */
  onWorker(worker: Entity): void
  /** The connection broke, and is being replaced. */
  onLost(error: Error): void
  /** It was replaced, and the session goes on with what is left of it. */
  onRegained(): void
  /** What waited to be sent has left. */
  onDrain(): void
  /** The tier has forgotten what it was told. */
  onForgotten(): void
  /**
   * A host is to end, or is not any more: with its Workers that end with it, and all else that is
   * there.
   */
  onDraining(host: Draining, objects: { workers: Entity[]; there: Entity[] }): void
  /** What has changed in the survey that was asked for. */
  onSurvey(changes: SurveyChanges): void
  /** The session is over: closed by the tier, or lost for good. */
  onClose(error: Error): void
}

export class Session implements ObjectSession {
  readonly logger: Logger
  /** What was found lately of other sessions. */
  readonly found = new LRUCache<string, Found>({ max: 1_000 })
  readonly #link: Link
  readonly #options: SessionOptions
  readonly #entities = new Map<Handle, Entity>()
  readonly #pending = new Map<Id, Pending>()
  // appData stays here; a token goes in its place, and comes back with the object. pipeToRouter()
  // gives the pipe Producer the appData of the Producer, and so its token.
  readonly #creating = new Map<number, Record<string, unknown>>()
  readonly #created = new Map<number, Entity>()
  #nextId = 0
  #nextToken = 0
  // The last request that was sent before the connection was lost: those after it wait for the next
  // one.
  #lastSent = 0
  readonly #givenUp = new GivenUp()
  // Nodes of the session that no handle of ours names: hosts with parts of what spans them.
  readonly #hiddenNodes = new Set<string>()
  // What is being reconciled: by the id of the request that it is told for, and of each node the
  // last one.
  readonly #recalls = new Map<Id, Reconciliation>()
  readonly #recalled = new Map<string, Reconciliation>()
  #isLinkLost = false
  #isReconciling = false
  #lost: Error | undefined

  constructor(link: Link, options: SessionOptions) {
    this.logger = options.logger
    this.#link = link
    this.#options = options
    const inbox = new TurnQueue<Frame | Error>(item =>
      item instanceof Error ? this.#lose(item) : this.#receive(item)
    )
    link.on('frame', frame => inbox.put(frame))
    link.on('lost', error => {
      this.#lastSent = this.#nextId
      this.#isLinkLost = true
      options.onLost(error)
    })
    link.on('regained', hasForgotten => {
      this.#isLinkLost = false
      this.#isReconciling ||= hasForgotten
      this.#tellRegained()
    })
    link.on('drain', options.onDrain)
    link.on('dropped', error => this.logger.error('Channel', error.message))
    link.on('close', error =>
      inbox.put(error ?? new ConnectionError('the connection was closed by the tier'))
    )
  }

  /** Why it ended, if it did. */
  get lost() {
    return this.#lost
  }

  get bufferedAmount() {
    return this.#link.bufferedAmount
  }

  /** Ends the session: closes what it owns, and rejects what is in flight. */
  close() {
    const reason = new ConnectionError('the connection was closed by this client')
    for (const worker of this.#workers()) worker.close()
    this.#end(reason)
    this.#link.close()
  }

  /** Calls a method that has no object: `tier.hello`, `mediasoup.createWorker`. */
  request(method: string, args: unknown[], role?: MethodRole): Promise<unknown> {
    return this.#send(method, undefined, role, args)
  }

  call(target: Entity, member: string, args: unknown[]): Promise<unknown> {
    return this.#send(`${target.row.kind}.${member}`, target, target.row.methods.get(member), args)
  }

  notify(method: string, params: unknown[], role?: MethodRole) {
    if (role === 'media' && this.#link.bufferedAmount > MAX_MEDIA_BACKLOG_BYTES) return
    this.#link.send(encodeNotification(method, params))
  }

  /** A closed object is gone at once; but a Worker is known until its process is gone. */
  forget(entity: Entity) {
    if (entity.row.kind !== 'Worker') this.#entities.delete(entity.handle)
    if (entity.token !== undefined && this.#created.get(entity.token) === entity)
      this.#created.delete(entity.token)
  }

  #send(
    method: string,
    target: Entity | undefined,
    role: MethodRole | undefined,
    args: unknown[]
  ): Promise<unknown> {
    if (this.#lost) return Promise.reject(lostError(this.#lost, target))
    const id = ++this.#nextId
    const token = role === 'create' ? this.#keepAppData(args) : undefined
    const span = this.#options.startSpan?.(method)
    const answered = new Promise((resolve, reject) => {
      this.#pending.set(id, { method, role, target, token, resolve, reject })
      try {
        const params = target ? [target.handle, ...args] : args
        this.#link.send(encodeRequest(id, method, params, span?.traceparent))
      } catch (error) {
        // What JSON cannot hold: a cycle, a bigint.
        this.#pending.delete(id)
        this.#creating.delete(token!)
        reject(error as Error)
      }
    })
    if (span)
      answered.then(
        () => span.end(),
        error => span.end(error)
      )
    return answered
  }

  #keepAppData(args: unknown[]): number | undefined {
    const [options = {}] = args
    if (typeof options !== 'object' || options === null) return undefined
    const { appData = {} } = options as { appData?: Record<string, unknown> | null }
    if (typeof appData !== 'object') return undefined // mediasoup's to refuse.
    const token = ++this.#nextToken
    this.#creating.set(token, appData ?? {})
    args[0] = { ...options, appData: { token } }
    return token
  }

  #receive(frame: Frame) {
    if (this.#lost) return // What was still on its way.
    let message: Message | undefined
    try {
      message = decode(frame)
      if (message.method === undefined) this.#answered(message)
      else if (message.id === undefined) this.#notified(message.method, message.params)
      else throw badRequest('a tier asks nothing of its client', message.id)
    } catch (error) {
      this.logger.error(
        'Channel',
        `received an invalid message: ${(error as Error).message}`,
        error as Error
      )
    }
  }

  // ← {"id": 12, "result": {"value": …, "live": {"paused": true}}}
  #answered({ id, result, error }: Extract<Message, { method?: undefined }>) {
    if (id === null && error)
      return this.logger.error('Channel', `a message was refused: ${error.message}`)
    const pending = this.#pending.get(id!)
    if (!pending && this.#givenUp.delete(id!)) return this.#closeUnknown(result)
    if (!pending)
      throw badRequest(
        `an answer came to a request that is not in flight (${JSON.stringify({ id, error })})`
      )
    this.#pending.delete(id!)
    try {
      if (error) pending.reject(reviveError(error))
      else pending.resolve(this.#resultOf(pending, result))
    } catch (cause) {
      pending.reject(cause as Error)
    }
    this.#creating.delete(pending.token!)
  }

  #resultOf({ role, target, method }: Pending, result: unknown): unknown {
    if (role === 'call') {
      const { value, live } = result as { value?: unknown; live?: Record<string, unknown> }
      if (live) target!.update(live)
      return decodeValue(value, this.#resolve) ?? undefined
    }
    if (role !== 'create') return result ?? undefined
    const object = decodeValue(result, this.#resolve)
    if (object !== GONE) return object
    if (target?.root.closed)
      throw new errors.WorkerClosedError(`the Worker was closed during ${method}()`)
    throw new errors.NotFoundError(`the ${target?.row.kind} was closed during ${method}()`)
  }

  // ← {"method": "Consumer.score", "params": ["k3x/31", {"score": {…}}, {…}]}
  #notified(method: string, params: unknown[]) {
    if (method === 'tier.survey') return this.#options.onSurvey(params[0] as SurveyChanges)
    if (method === 'tier.load' || method === 'tier.usage') return
    if (method === 'tier.forgot')
      return this.#forgotten((params[0] as { nodes?: string[] } | undefined)?.nodes)
    if (method === 'tier.recalled') return this.#told(params[0] as Recalled)
    if (method === 'tier.nodes')
      return (params[0] as string[]).forEach(node => this.#hiddenNodes.add(node))
    if (method === 'tier.draining') return this.#draining(params[0] as Draining)
    if (method === 'tier.log') return this.logger.hear(params as [LogLevel, string, string])
    const [handle, live, ...args] = params
    const entity = this.#entities.get(handle as Handle)
    if (!entity) return // Closed here, when the event was on its way.
    const event = method.slice(method.indexOf('.') + 1)
    if (live) entity.update(live as Record<string, unknown>)
    for (let i = 0; i < args.length; i++) args[i] = decodeValue(args[i], this.#resolve) ?? undefined
    if (args.includes(GONE)) return
    if (entity instanceof WorkerImpl && entity.isGone) this.#entities.delete(entity.handle)
    entity.receive(event, args)
  }

  // ← {"method": "tier.forgot", "params": [{"nodes": ["k3x"]}]}
  // What there is, the hosts know. Without nodes, the tier itself is new: whether what was in
  // flight was carried out is not known.
  #forgotten(nodes?: string[]) {
    if (!nodes) this.#giveUpSent()
    const workers = this.#liveWorkers().length
    const named = nodes ?? [...new Set([...nodesOf(this.#entities.keys()), ...this.#hiddenNodes])]
    this.#recall(named).then(
      () => !nodes && this.#reconciled(workers),
      error => {
        // It has forgotten again, and is asked again.
        if (error instanceof UnknownOutcomeError) return
        this.logger.warn('Client', `tier.recall failed: ${error.message}`)
        if (!nodes) this.#reconciled(workers)
      }
    )
    this.#options.onForgotten()
  }

  #giveUpSent() {
    for (const [id, { method, token, reject }] of this.#pending) {
      if ((id as number) > this.#lastSent) continue
      this.#pending.delete(id)
      this.#creating.delete(token!)
      this.#givenUp.add(id)
      reject(unknownOutcome(method))
    }
  }

  async #recall(nodes: string[]) {
    const reconciliation = new Reconciliation(this.#entities, nodes, (kind, handle) =>
      this.notify(`${kind}.close`, [handle])
    )
    for (const node of nodes) this.#recalled.set(node, reconciliation)
    const request = this.request('tier.recall', [{ nodes } satisfies RecallOptions])
    const id = this.#nextId
    this.#recalls.set(id, reconciliation)
    try {
      await request
      this.#done(reconciliation, nodes)
    } finally {
      this.#recalls.delete(id)
    }
  }

  // ← {"method": "tier.recalled", "params": [{"id": 31, "entries": [["k3x/1", "Worker", null, {}], …], "done": ["k3x"]}]}
  #told({ id, entries, done = [] }: Recalled) {
    const reconciliation = this.#recalls.get(id)
    if (!reconciliation) return
    reconciliation.told(entries)
    this.#done(reconciliation, done)
  }

  #done(reconciliation: Reconciliation, nodes: string[]) {
    for (const node of nodes) {
      // It was forgotten again, and is asked again.
      if (this.#recalled.get(node) !== reconciliation) continue
      this.#recalled.delete(node)
      reconciliation.done(node)
    }
  }

  /** Nothing is left of a session that has lost all its Workers. */
  #reconciled(workersBefore: number) {
    this.#isReconciling = false
    if (!workersBefore || this.#liveWorkers().length) return this.#tellRegained()
    this.#lose(
      new ConnectionError('the session is gone: nothing was left of it when the tier was replaced')
    )
    this.#link.close()
  }

  #tellRegained() {
    if (!this.#isLinkLost && !this.#isReconciling) this.#options.onRegained()
  }

  /** An answer came to a call that was given up: nobody knows what it has made. */
  #closeUnknown(result: unknown) {
    const { $, kind } = Object(result) as Partial<Announcement>
    if ($ !== undefined && kind !== undefined) this.notify(`${kind}.close`, [$])
  }

  // ← {"method": "tier.draining", "params": [{"node": "k3x", "deadline": 60000, "workers": ["k3x/1"]}]}
  #draining(host: Draining) {
    const all = [...this.#entities.values()].filter(({ closed }) => !closed)
    const ending = new Set(host.workers)
    this.#options.onDraining(host, {
      workers: all.filter(({ handle }) => ending.has(handle)),
      there: all.filter(({ handle }) => handle.startsWith(`${host.node}/`))
    })
  }

  #resolve = (reference: Reference): unknown =>
    'kind' in reference
      ? this.#announced(reference as Announcement)
      : (this.#entities.get(reference.$) ?? GONE)

  #announced(announcement: Announcement): unknown {
    const { $, kind, of, appData } = announcement
    const parent = of === undefined ? undefined : this.#entities.get(of)
    if (of !== undefined && !parent) return GONE
    if (parent?.closed) return GONE
    const type = Object.hasOwn(classes, kind) ? classes[kind] : undefined
    if (!type)
      throw new ProtocolError(
        codes.params,
        `the tier announced an object of the unknown kind ${kind}`
      )
    const token = appData?.token as number
    const kept = this.#creating.get(token) ?? this.#created.get(token)?.appData ?? {}
    const entity = new type(this, announcement, parent, kept)
    entity.appDataToken = token
    this.#entities.set($, entity)
    if (this.#creating.has(token)) {
      entity.token = token
      this.#created.set(token, entity)
    }
    if (parent) parent.addChild(entity, announcements.get(kind)!)
    else this.#options.onWorker(entity)
    return entity
  }

  #lose(error: Error) {
    if (this.#lost) return
    this.#end(error)
    this.#options.onClose(error)
  }

  #end(reason: Error) {
    this.#lost = reason
    for (const worker of this.#workers()) worker.die(reason)
    for (const { reject, target } of this.#pending.values()) reject(lostError(reason, target))
    this.#pending.clear()
    this.#creating.clear()
    this.#entities.clear()
  }

  #liveWorkers() {
    return this.#workers().filter(({ closed }) => !closed)
  }

  #workers() {
    return [...this.#entities.values()].filter(entity => entity instanceof WorkerImpl)
  }
}

// To the application it is as if the Workers had died.
const lostError = (reason: Error, target: Entity | undefined) =>
  target ? Object.assign(new errors.WorkerClosedError(reason.message), { cause: reason }) : reason

/**
 * The event that announces a new object of a kind: all transports are `newtransport`, all RTP
 * observers `newrtpobserver`.
 */
const announcements = new Map(
  Object.keys(classes).map(kind => [
    kind,
    kind.endsWith('Transport')
      ? 'newtransport'
      : kind.endsWith('Observer')
        ? 'newrtpobserver'
        : `new${kind.toLowerCase()}`
  ])
)
