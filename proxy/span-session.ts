// One session on a vertical tier. Workers, Routers and WebRtcServers of the client are its own, and have parts below; all
// other objects are those of the tier below, and their frames pass as they are.

import type * as ms from 'mediasoup/types'
import type { Announcement, Reference } from '../lib/codec.ts'
import { ConnectionError, ProtocolError, codes, describeError } from '../lib/errors.ts'
import type { Hello } from '../lib/hello.ts'
import { IDLE, type Load } from '../lib/load.ts'
import { errors } from '../lib/mediasoup.ts'
import { methods } from '../lib/methods.ts'
import { discover } from '../lib/openrpc.ts'
import type { Frame, Link } from '../lib/tier.ts'
import { type Handle, type Id, decode, encodeNotification, encodeRequest, encodeResult } from '../lib/wire.ts'
import { mergeRouterDumps, mergeServerDumps, mergeWorkerDumps, sumUsages } from './dumps.ts'
import { version } from '../lib/version.ts'
import { type Head, headOf } from './head.ts'
import { Pipes } from './pipes.ts'
import { Replicas } from './replicas.ts'
import { type Branch, type CallHead, ProxySession, paramsOf, unknownHandle } from './session.ts'
import type { Placed, Produced, Replica, RouterPart, SpanningRouter, SpanningServer, SpanningWorker, WorkerPart } from './span.ts'
import type { SpanSettings } from './vertical.ts'

const LOAD_INTERVAL_MS = 1_000
// Until a measurement covers it: a core carries some 500 Consumers.
const TRANSPORT_LOAD = 0.002
const CONSUMER_LOAD = 0.002
const MAX_CLOSED = 100

type Options = Record<string, unknown>

export interface SpanSessionOptions {
  link: Link
  branch: Branch
  /** Its own, at the start of its handles. */
  node: string
  nextHandle(): Handle
  settings: SpanSettings
}

export class SpanSession extends ProxySession {
  readonly #branch: Branch
  readonly #node: string
  readonly #nextHandle: () => Handle
  readonly #settings: SpanSettings
  readonly #pipes = new Pipes(() => {}) // The client sees none of these.
  readonly #replicas: Replicas
  // The client's, by their handles.
  readonly #workers = new Map<Handle, SpanningWorker>()
  readonly #routers = new Map<Handle, SpanningRouter>()
  readonly #servers = new Map<Handle, SpanningServer>()
  readonly #closed: Handle[] = []
  // Those below, by theirs.
  readonly #workerParts = new Map<Handle, WorkerPart>()
  readonly #routerParts = new Map<Handle, RouterPart>()
  readonly #serverParts = new Map<Handle, SpanningServer>()
  readonly #placed = new Map<Handle, Placed>()
  readonly #produced = new Map<Handle, Produced>()
  readonly #consumers = new Map<Handle, Placed>()
  /** What is done with an answer on its way up. */
  readonly #inFlight = new Map<Id, (frame: Frame) => Frame>()
  readonly #timer = setInterval(() => void this.#measure(), LOAD_INTERVAL_MS).unref()
  #load = IDLE
  #tellsLoad = false

  constructor({ link, branch, node, nextHandle, settings }: SpanSessionOptions) {
    super(link)
    this.#branch = branch
    this.#node = node
    this.#nextHandle = nextHandle
    this.#settings = settings
    this.#replicas = new Replicas(this.#pipes, branch, settings.linger)
    branch.link.on('frame', frame => this.#fromBelow(frame))
    this.#call('tier.load').then(load => { this.#load = load as Load }, () => {}) // The link is closed then.
    branch.link.once('close', error => link.close(error ?? new ConnectionError('the tier below closed the connection')))
  }

  protected override end() {
    clearInterval(this.#timer)
    this.#replicas.end()
    this.#branch.link.close()
  }

  protected override dispatch(head: CallHead, frame: Frame) {
    const { id, method, handle } = head
    if (id != null && this.#inFlight.has(id)) throw new ProtocolError(codes.request, `the id of a request is unique while it is in flight (${JSON.stringify(id)} is not)`)
    switch (method) {
      case 'tier.hello': return this.settle(id, this.#greet(paramsOf(frame)[0] as { via?: string[] } | undefined))
      case 'tier.load': return this.#subscribeToLoad(id)
      case 'tier.pipeListenInfo':
      case 'tier.locate': return this.#forward(id, method, [this.#homeOf(handle!)])
      case 'rpc.discover': return this.answer(id, discover())
      case 'mediasoup.createWorker': return this.settle(id, this.#createWorker(paramsOf(frame)[0] as Options))
    }
    switch (method.slice(0, method.indexOf('.'))) {
      case 'Worker': return this.#callWorker(head, frame)
      case 'Router': return this.#callRouter(head, frame)
      case 'WebRtcServer': return this.#callServer(head, frame)
      default: return this.#callObject(head, frame)
    }
  }

  async #greet({ via = [] } = {} as { via?: string[] }): Promise<Hello> {
    const hello = await this.#call('tier.hello', { via: [...via, this.#node] }) as Hello
    return { ...hello, mafalda: version, node: this.#node }
  }

  // Workers

  async #createWorker(settings: Options = {}): Promise<Announcement> {
    const announcement = await this.#call('mediasoup.createWorker', settings) as Announcement
    const { appData: _, ...shared } = settings
    const worker: SpanningWorker = { handle: this.#nextHandle(), settings: shared, parts: [], growing: 0, routers: new Set(), servers: new Set(), closing: false }
    this.#workers.set(worker.handle, worker)
    this.#addPart(worker, announcement)
    return { ...announcement, $: worker.handle }
  }

  #addPart(owner: SpanningWorker, { $ }: Announcement): WorkerPart {
    const taken = new Set(owner.parts.map(({ ordinal }) => ordinal))
    let ordinal = 0
    while (taken.has(ordinal)) ordinal++
    const part: WorkerPart = { handle: $, owner, ordinal, used: 0, promised: 0, cpuTime: 0, consumers: 0 }
    owner.parts.push(part)
    this.#workerParts.set($, part)
    return part
  }

  #callWorker({ id, method, handle }: CallHead, frame: Frame) {
    const worker = this.#workers.get(handle!)
    if (!worker) return this.#unknown('Worker', id, handle)
    const each = (member: string, ...args: unknown[]) => Promise.all(worker.parts.map(part => this.#call(`Worker.${member}`, part.handle, ...args)))
    switch (method) {
      case 'Worker.close': return this.#closeWorker(worker)
      case 'Worker.dump': return this.settle(id, each('dump').then(dumps => mergeWorkerDumps(dumps as ms.WorkerDump[], this.#viewOf(worker))))
      case 'Worker.getResourceUsage': return this.settle(id, each('getResourceUsage').then(usages => sumUsages(usages as ms.WorkerResourceUsage[])))
      case 'Worker.updateSettings': {
        const [, settings] = paramsOf(frame) as [Handle, Options]
        return this.settle(id, each('updateSettings', settings).then(() => {
          Object.assign(worker.settings, settings)
          return {}
        }))
      }
      case 'Worker.createRouter': return this.settle(id, this.#createRouter(worker, paramsOf(frame)[1] as Options))
      case 'Worker.createWebRtcServer': return this.settle(id, this.#createServer(worker, paramsOf(frame)[1] as Options))
      default: throw unknownMethod(method)
    }
  }

  #closeWorker(worker: SpanningWorker) {
    if (worker.closing) return
    worker.closing = true
    for (const part of worker.parts) this.#branch.caller.notify('Worker.close', part.handle)
    for (const router of worker.routers) this.#forgetRouter(router)
    for (const server of worker.servers) this.#forgetServer(server)
    this.#retire(worker.handle)
  }

  // A closed object still says what mediasoup says of it; the last ones that were closed.
  #retire(handle: Handle) {
    if (this.#closed.push(handle) <= MAX_CLOSED) return
    const oldest = this.#closed.shift()!
    for (const objects of [this.#workers, this.#routers, this.#servers]) objects.delete(oldest)
  }

  // Routers

  async #createRouter(worker: SpanningWorker, options: Options = {}): Promise<Announcement> {
    const home = worker.parts[0]!
    const announcement = await this.#call('Worker.createRouter', home.handle, options) as Announcement
    if (worker.closing) throw new errors.WorkerClosedError('the Worker was closed in the meantime')
    const router: SpanningRouter = {
      handle: this.#nextHandle(),
      id: announcement.members.id as string,
      worker,
      mediaCodecs: options.mediaCodecs,
      parts: new Map(),
      counts: new Map(),
      pairs: new Map(),
      home: announcement.$,
      producers: new Map(),
      dataProducers: new Map(),
      closed: false
    }
    this.#routers.set(router.handle, router)
    worker.routers.add(router)
    router.parts.set(home, Promise.resolve(this.#addRouterPart(router, home, announcement)))
    return { ...announcement, $: router.handle, of: worker.handle }
  }

  #addRouterPart(owner: SpanningRouter, worker: WorkerPart, { $, members }: Announcement): RouterPart {
    const part: RouterPart = { handle: $, id: members.id as string, owner, worker, placed: new Set() }
    this.#routerParts.set($, part)
    return part
  }

  /** The Router's part on a Worker, which is made when it is first needed. */
  #routerOn(router: SpanningRouter, worker: WorkerPart): Promise<RouterPart> {
    let part = router.parts.get(worker)
    if (!part) {
      part = this.#call('Worker.createRouter', worker.handle, { mediaCodecs: router.mediaCodecs })
        .then(announcement => this.#addRouterPart(router, worker, announcement as Announcement))
      router.parts.set(worker, part)
      part.catch(() => router.parts.delete(worker))
    }
    return part
  }

  #callRouter(head: CallHead, frame: Frame) {
    const { id, method, handle } = head
    const router = this.#routers.get(handle!)
    if (!router) return this.#unknown('Router', id, handle)
    const [, options] = paramsOf(frame) as [Handle, Options | undefined]
    if (router.closed && method !== 'Router.close') return this.#forward(id, method, [router.home, options])
    switch (method) {
      case 'Router.close': return this.#closeRouter(router)
      case 'Router.dump': return this.settle(id, this.#dumpRouter(router))
      case 'Router.createWebRtcTransport':
      case 'Router.createPlainTransport':
      case 'Router.createPipeTransport':
      case 'Router.createDirectTransport': return void this.#place(head, router, options)
      case 'Router.createActiveSpeakerObserver':
      case 'Router.createAudioLevelObserver': return void this.#place(head, router, options)
      case 'Router.pipeToRouter': return void this.#pipeToRouter(id, router, options ?? {}).catch(error => this.fail(id, error))
      case 'Router.updateMediaCodecs': {
        router.mediaCodecs = options
        for (const part of router.parts.values()) part.then(({ handle }) => this.#branch.caller.notify(method, handle, options), () => {})
        return
      }
      default: throw unknownMethod(method)
    }
  }

  async #dumpRouter(router: SpanningRouter) {
    const parts = await Promise.all(router.parts.values())
    const dumps = await Promise.all(parts.map(({ handle }) => this.#call('Router.dump', handle)))
    return mergeRouterDumps(dumps as ms.RouterDump[], this.#viewOf(router.worker))
  }

  #viewOf({ routers, servers }: SpanningWorker) {
    const alias = new Map<string, string>()
    for (const part of this.#routerParts.values()) if (routers.has(part.owner)) alias.set(part.id, part.owner.id)
    for (const { ids, id } of servers) for (const each of ids) alias.set(each, id)
    return { hidden: this.#pipes.ids, alias }
  }

  #closeRouter(router: SpanningRouter) {
    for (const part of router.parts.values()) part.then(({ handle }) => this.#branch.caller.notify('Router.close', handle), () => {})
    this.#forgetRouter(router)
  }

  #forgetRouter(router: SpanningRouter) {
    if (router.closed) return
    router.closed = true
    router.worker.routers.delete(router)
    for (const part of router.parts.values()) part.then(part => this.#forgetRouterPart(part), () => {})
    this.#retire(router.handle)
  }

  #forgetRouterPart(part: RouterPart) {
    this.#routerParts.delete(part.handle)
    this.#pipes.routerClosed(part.handle)
    for (const placed of part.placed) this.#forgetPlaced(placed)
  }

  // Placement

  /** Creates a transport, or an RTP observer, where the policy says. */
  async #place({ id, method }: CallHead, router: SpanningRouter, options: Options | undefined) {
    let worker: WorkerPart | undefined
    try {
      worker = await this.#choose(router)
      const part = await this.#routerOn(router, worker)
      if (router.closed) throw new errors.NotFoundError('the Router was closed in the meantime')
      const server = options?.webRtcServer as Reference | undefined
      const params = server ? { ...options, webRtcServer: await this.#serverOn(server, worker) } : options
      this.#forward(id, method, [part.handle, params], frame => this.#placedAt(part, frame))
    } catch (error) {
      if (worker) count(router, worker, -1)
      this.fail(id, error)
    }
  }

  async #choose(router: SpanningRouter): Promise<WorkerPart> {
    const { worker } = router
    const places = worker.parts.map(part => ({
      part,
      load: part.used + part.promised,
      holdsRouter: router.parts.has(part),
      transports: router.counts.get(part) ?? 0
    }))
    const chosen = this.#settings.policy({ places, mayGrow: this.#mayGrow(worker) })?.part ?? await this.#grow(worker)
    chosen.promised += TRANSPORT_LOAD
    count(router, chosen, 1)
    return chosen
  }

  #mayGrow({ parts, growing }: SpanningWorker) {
    const { maxWorkers } = this.#settings
    if (maxWorkers !== undefined) return parts.length + growing < maxWorkers
    return this.#load.workers < this.#load.capacity
  }

  async #grow(worker: SpanningWorker): Promise<WorkerPart> {
    worker.growing++
    this.#load = { ...this.#load, workers: this.#load.workers + 1 } // Until the tier below reports it.
    try {
      const announcement = await this.#call('mediasoup.createWorker', worker.settings) as Announcement
      const part = this.#addPart(worker, announcement)
      if (!worker.closing) return part
      this.#branch.caller.notify('Worker.close', part.handle)
      throw new errors.WorkerClosedError('the Worker was closed in the meantime')
    } finally {
      worker.growing--
    }
  }

  #placedAt(part: RouterPart, frame: Frame): Frame {
    const handle = createdBy(frame)
    if (handle === undefined) count(part.owner, part.worker, -1)
    // A WebRtcServer's event may have announced it already.
    else if (!this.#placed.has(handle)) this.#addPlaced(part, handle, kindOf(frame))
    return renamed(frame, part)
  }

  #addPlaced(part: RouterPart, handle: Handle, kind: string) {
    const placed: Placed = { handle, kind, part, produced: new Set(), uses: new Map() }
    part.placed.add(placed)
    this.#placed.set(handle, placed)
  }

  #forgetPlaced(placed: Placed) {
    if (!this.#placed.delete(placed.handle)) return
    placed.part.placed.delete(placed)
    count(placed.part.owner, placed.part.worker, -1)
    for (const produced of placed.produced) this.#forgetProduced(produced)
    for (const consumer of placed.uses.keys()) this.#forgetConsumer(consumer)
    this.#giveBackLater(placed.part.worker)
  }

  /** A Worker below that has carried nothing for a while is given back; the first one stays. */
  #giveBackLater(part: WorkerPart) {
    const { owner } = part
    const isIdle = () => part !== owner.parts[0] && !owner.closing && [...owner.routers].every(({ counts }) => !counts.get(part))
    if (isIdle()) setTimeout(() => { if (isIdle() && owner.parts.includes(part)) void this.#giveBack(part) }, this.#settings.linger).unref()
  }

  async #giveBack(part: WorkerPart) {
    const { owner } = part
    owner.parts.splice(owner.parts.indexOf(part), 1)
    for (const server of owner.servers) server.parts.delete(part)
    await Promise.all([...owner.routers].map(router => this.#detach(router, part)))
    this.#branch.caller.notify('Worker.close', part.handle)
  }

  /** Forgets a Router's part on a Worker, and the pipes that ended there. */
  async #detach(router: SpanningRouter, worker: WorkerPart): Promise<RouterPart | undefined> {
    const part = await router.parts.get(worker)?.catch(() => undefined)
    router.parts.delete(worker)
    router.counts.delete(worker)
    if (!part) return undefined
    for (const [other, pair] of router.pairs) if (pair === part) router.pairs.delete(other)
    this.#forgetRouterPart(part)
    for (const produced of [...router.producers.values(), ...router.dataProducers.values()]) produced.replicas.delete(part)
    return part
  }

  // WebRtcServers: one on each Worker that needs it

  async #createServer(worker: SpanningWorker, options: Options): Promise<Announcement> {
    const home = worker.parts[0]!
    const announcement = await this.#call('Worker.createWebRtcServer', home.handle, options) as Announcement
    const { $, members } = announcement
    const server: SpanningServer = { handle: this.#nextHandle(), id: members.id as string, worker, options, parts: new Map([[home, Promise.resolve($)]]), ids: new Set([members.id as string]) }
    this.#servers.set(server.handle, server)
    this.#serverParts.set($, server)
    worker.servers.add(server)
    return { ...announcement, $: server.handle, of: worker.handle }
  }

  async #serverOn({ $ }: Reference, worker: WorkerPart): Promise<Reference> {
    const server = this.#servers.get($)
    if (!server) throw new errors.NotFoundError(unknownHandle('WebRtcServer', $))
    let part = server.parts.get(worker)
    if (!part) {
      part = this.#createServerPart(server, worker)
      server.parts.set(worker, part)
      part.catch(() => server.parts.delete(worker))
    }
    return { $: await part }
  }

  // On one host a port can be used once: the n-th further Worker takes the n-th port after the configured one.
  async #createServerPart(server: SpanningServer, worker: WorkerPart): Promise<Handle> {
    const listenInfos = (server.options.listenInfos as ms.TransportListenInfo[]).map(info => info.port ? { ...info, port: info.port + worker.ordinal } : info)
    const { $, members } = await this.#call('Worker.createWebRtcServer', worker.handle, { ...server.options, listenInfos }) as Announcement
    this.#serverParts.set($, server)
    server.ids.add(members.id as string)
    return $
  }

  #callServer({ id, method, handle }: CallHead, _frame: Frame) {
    const server = this.#servers.get(handle!)
    if (!server) return this.#unknown('WebRtcServer', id, handle)
    const each = async (member: string) => Promise.all((await Promise.all(server.parts.values())).map(part => this.#call(`WebRtcServer.${member}`, part)))
    switch (method) {
      case 'WebRtcServer.close': {
        for (const part of server.parts.values()) part.then(part => this.#branch.caller.notify(method, part), () => {})
        return this.#forgetServer(server)
      }
      case 'WebRtcServer.dump': return this.settle(id, each('dump').then(dumps => mergeServerDumps(dumps as ms.WebRtcServerDump[], server.id)))
      default: throw unknownMethod(method)
    }
  }

  #forgetServer(server: SpanningServer) {
    server.worker.servers.delete(server)
    for (const [handle, owner] of this.#serverParts) if (owner === server) this.#serverParts.delete(handle)
    this.#retire(server.handle)
  }

  // Transports, Producers, Consumers, RTP observers: those of the tier below

  #callObject(head: CallHead, frame: Frame) {
    const { method, handle } = head
    const placed = this.#placed.get(handle!)
    switch (method.slice(method.indexOf('.') + 1)) {
      case 'consume':
      case 'addProducer': return placed ? this.#use(head, frame, placed, (paramsOf(frame)[1] as { producerId?: string } | undefined)?.producerId, placed.part.owner.producers) : this.#pass(frame)
      case 'consumeData': return placed ? this.#use(head, frame, placed, (paramsOf(frame)[1] as { dataProducerId?: string } | undefined)?.dataProducerId, placed.part.owner.dataProducers) : this.#pass(frame)
      case 'removeProducer': {
        const produced = placed?.part.owner.producers.get((paramsOf(frame)[1] as { producerId?: string } | undefined)?.producerId!)
        if (produced) this.#releaseUse(placed!, produced.handle)
        return this.#pass(frame)
      }
      case 'dump': return this.#dumpObject(head, frame)
      case 'produce': return this.#produce(head, frame, placed, false)
      case 'produceData': return this.#produce(head, frame, placed, true)
      case 'close': {
        this.#closedObject(handle!)
        return this.#pass(frame)
      }
      default: return this.#pass(frame)
    }
  }

  /** A Consumer of a piped Producer says of it what one of the original would. */
  #dumpObject({ id, handle }: CallHead, frame: Frame) {
    const replica = this.#consumers.get(handle!)?.uses.get(handle!)
    if (!replica || id == null) return this.#pass(frame)
    this.#inFlight.set(id, answer => {
      const dump = resultOf(answer) as ms.ConsumerDump | undefined
      const encodings = replica.of.encodings
      if (!dump || !encodings) return answer
      const consumableRtpEncodings = dump.consumableRtpEncodings?.map((encoding, i) => ({ ...encoding, ssrc: encodings[i]?.ssrc ?? encoding.ssrc }))
      return encodeResult(id, { ...dump, consumableRtpEncodings })
    })
    this.#pass(frame)
  }

  #produce({ id }: CallHead, frame: Frame, placed: Placed | undefined, isData: boolean) {
    if (!placed || id == null) return this.#pass(frame)
    const wanted = (paramsOf(frame)[1] as { id?: string } | undefined)?.id
    const { producers, dataProducers } = placed.part.owner
    const known = (isData ? dataProducers : producers).get(wanted!)
    // On one Worker, the worker refuses it.
    if (known && known.at.part !== placed.part) throw new Error(`a ${isData ? 'DataProducer' : 'Producer'} with same id "${wanted}" already exists`)
    this.#inFlight.set(id, answer => {
      const announcement = resultOf(answer) as Announcement | undefined
      if (announcement) this.#addProduced(placed, announcement)
      return answer
    })
    this.#pass(frame)
  }

  #addProduced(at: Placed, { $, kind, members }: Announcement) {
    const isData = kind === 'DataProducer'
    const produced: Produced = { handle: $, id: members.id as string, isData, at, replicas: new Map(), encodings: (members.consumableRtpParameters as ms.RtpParameters | undefined)?.encodings }
    const { producers, dataProducers } = at.part.owner
    ;(isData ? dataProducers : producers).set(produced.id, produced)
    at.produced.add(produced)
    this.#produced.set($, produced)
  }

  #forgetProduced(produced: Produced) {
    this.#produced.delete(produced.handle)
    produced.at.produced.delete(produced)
    const { producers, dataProducers } = produced.at.part.owner
    const known = produced.isData ? dataProducers : producers
    if (known.get(produced.id) === produced) known.delete(produced.id)
    this.#replicas.forget(produced)
  }

  /** A Producer is used on a Worker: where it is not, it is piped first. */
  #use({ id, method }: CallHead, frame: Frame, placed: Placed, producerId: string | undefined, producers: Map<string, Produced>) {
    const produced = producers.get(producerId!)
    const isObserver = method.endsWith('.addProducer')
    if (!produced || produced.at.part === placed.part) return this.#forwardUse(id, frame, placed, isObserver ? produced?.handle : undefined, undefined)
    const replica = this.#replicas.hold(produced, placed.part)
    replica.ready.then(
      () => this.#forwardUse(id, frame, placed, isObserver ? produced.handle : undefined, replica),
      error => {
        this.#replicas.release(replica)
        this.fail(id, error)
      }
    )
  }

  #forwardUse(id: Id | null | undefined, frame: Frame, placed: Placed, user: Handle | undefined, replica: Replica | undefined) {
    if (id != null) {
      this.#inFlight.set(id, answer => {
        const holder = user ?? createdBy(answer)
        if (holder === undefined || isFailure(answer)) {
          if (replica) this.#replicas.release(replica)
        } else {
          placed.uses.set(holder, replica)
          if (user === undefined) this.#addConsumer(holder, placed)
        }
        return answer
      })
    }
    this.#pass(frame)
  }

  #addConsumer(handle: Handle, placed: Placed) {
    this.#consumers.set(handle, placed)
    placed.part.worker.consumers++
    placed.part.worker.promised += CONSUMER_LOAD
  }

  #forgetConsumer(handle: Handle) {
    const placed = this.#consumers.get(handle)
    if (placed) placed.part.worker.consumers--
    this.#consumers.delete(handle)
    if (placed) this.#releaseUse(placed, handle)
  }

  #releaseUse(placed: Placed, user: Handle) {
    const replica = placed.uses.get(user)
    placed.uses.delete(user)
    if (replica) this.#replicas.release(replica)
  }

  #closedObject(handle: Handle) {
    const placed = this.#placed.get(handle)
    const produced = this.#produced.get(handle)
    if (placed) this.#forgetPlaced(placed)
    else if (produced) this.#forgetProduced(produced)
    else this.#forgetConsumer(handle)
  }

  /** Between Routers of the client: from the Worker where the Producer is, to where the other Router is at home. */
  async #pipeToRouter(id: Id | null | undefined, router: SpanningRouter, options: Options) {
    const { producerId, dataProducerId, keepId = true } = options as { producerId?: string; dataProducerId?: string; keepId?: boolean }
    const target = this.#routers.get((options.router as Reference | undefined)?.$ ?? '')
    const produced = producerId === undefined ? router.dataProducers.get(dataProducerId!) : router.producers.get(producerId)
    if (!target || target === router || target.closed || !produced) {
      const to = target === router ? router.home : target?.home
      return this.#forward(id, 'Router.pipeToRouter', [router.home, { ...options, router: to === undefined ? options.router : { $: to } }])
    }
    if (target.worker === router.worker && keepId) throw new Error('a Router of the same Worker has the Producer already: keepId must be false')
    const { here, there } = await this.#pairOf(router, target, produced)
    if (produced.at.part !== here) await this.#replicas.hold(produced, here).ready
    this.#forward(id, 'Router.pipeToRouter', [here.handle, { ...options, router: { $: there.handle } }])
  }

  /** Two Routers of the client are piped together at one part of each, so that they have one pair of PipeTransports. */
  async #pairOf(router: SpanningRouter, target: SpanningRouter, { at }: Produced): Promise<{ here: RouterPart; there: RouterPart }> {
    const [here, there] = [router.pairs.get(target), target.pairs.get(router)]
    if (here && there && this.#routerParts.has(here.handle) && this.#routerParts.has(there.handle)) return { here, there }
    router.pairs.set(target, at.part)
    const [worker] = target.parts.keys()
    const part = await this.#routerOn(target, worker ?? await this.#choose(target))
    // A concurrent call may have been first.
    if (!target.pairs.has(router)) target.pairs.set(router, part)
    return { here: router.pairs.get(target)!, there: target.pairs.get(router)! }
  }

  // From below

  #fromBelow(frame: Frame) {
    const head = headOf(frame)
    if (this.#branch.caller.takes(head?.id, frame)) return
    if (head?.method !== undefined) return this.#happened(head as CallHead, frame)
    const answered = this.#inFlight.get(head?.id!)
    this.#inFlight.delete(head?.id!)
    this.link.send(answered ? answered(frame) : frame)
  }

  #happened(head: CallHead, frame: Frame) {
    const { method, handle } = head
    if (method === 'tier.load') return this.#loadReported(frame)
    const [kind, event] = method.split('.') as [string, string]
    if (kind === 'Worker') return this.#workerPartHappened(event, handle!, frame)
    if (kind === 'Router') return this.#routerPartHappened(head, frame)
    if (kind === 'WebRtcServer') return this.#serverPartHappened(head, frame)
    if (handle !== undefined && this.#pipes.owns(handle)) return this.#pipes.happened(head as Required<Head>)
    if (/^new(data)?producer$/.test(event)) {
      const placed = this.#placed.get(handle!)
      if (placed) this.#addProduced(placed, paramsOf(frame)[2] as Announcement)
    } else if (/close$/.test(event)) {
      this.#closedObject(handle!)
    }
    this.link.send(kind.endsWith('Observer') ? this.#replicas.named(frame) : frame)
  }

  // mediasoup's own creations: the transports of pipeToRouter().
  #routerPartHappened({ handle }: CallHead, frame: Frame) {
    const part = this.#routerParts.get(handle!)
    if (!part) return
    const announcement = paramsOf(frame)[2] as Announcement | undefined
    if (announcement) {
      this.#addPlaced(part, announcement.$, announcement.kind)
      count(part.owner, part.worker, 1)
    }
    this.link.send(renamed(frame, part))
  }

  #serverPartHappened({ handle }: CallHead, frame: Frame) {
    const server = this.#serverParts.get(handle!)
    if (!server) return
    const transport = paramsOf(frame)[2] as Announcement | undefined
    const part = this.#routerParts.get(transport?.of ?? '')
    if (part) this.#addPlaced(part, transport!.$, transport!.kind)
    const text = (frame as string).replace(`"params":["${handle}"`, `"params":["${server.handle}"`)
    this.link.send(part ? renamed(text, part) : text)
  }

  #workerPartHappened(event: string, handle: Handle, frame: Frame) {
    const part = this.#workerParts.get(handle)
    if (!part) return
    const { owner } = part
    if (event === 'subprocessclose' || event === 'died') this.#workerParts.delete(handle)
    if (event === 'subprocessclose' && owner.closing && owner.parts.every(({ handle }) => !this.#workerParts.has(handle))) {
      this.link.send(encodeNotification('Worker.subprocessclose', [owner.handle, { subprocessClosed: true }]))
    }
    if (event === 'died' || (event === 'close' && !owner.closing)) void this.#lostPart(part, paramsOf(frame)[2] ?? { $: 'error', ...describeError(new Error('the Worker was closed on its host')) })
  }

  /** A Worker below died: what was on it is closed, as if its Router had; the rest lives on. */
  async #lostPart(part: WorkerPart, error: unknown) {
    const { owner } = part
    owner.parts.splice(owner.parts.indexOf(part), 1)
    for (const server of owner.servers) server.parts.delete(part)
    for (const router of owner.routers) {
      const placed = [...(await router.parts.get(part)?.catch(() => undefined))?.placed ?? []]
      await this.#detach(router, part)
      for (const { kind, handle } of placed) this.link.send(encodeNotification(`${kind}.routerclose`, [handle, null]))
    }
    if (owner.parts.length || owner.closing) return
    owner.closing = true
    for (const router of owner.routers) this.#forgetRouter(router)
    this.#retire(owner.handle)
    this.link.send(encodeNotification('Worker.died', [owner.handle, { died: true, subprocessClosed: true }, error]))
  }

  // Load

  async #measure() {
    await Promise.all([...this.#workerParts.values()].map(async part => {
      try {
        const { ru_utime, ru_stime } = await this.#call('Worker.getResourceUsage', part.handle) as ms.WorkerResourceUsage
        part.used = (ru_utime + ru_stime - part.cpuTime) / LOAD_INTERVAL_MS
        part.cpuTime = ru_utime + ru_stime
        part.promised = 0
      } catch {
        // It died, or was closed, in the meantime.
      }
    }))
  }

  #subscribeToLoad(id: Id | null | undefined) {
    this.#tellsLoad = true
    this.answer(id, this.#load)
  }

  #loadReported(frame: Frame) {
    this.#load = paramsOf(frame)[0] as Load
    if (this.#tellsLoad && this.link.bufferedAmount === 0) this.link.send(frame)
  }

  /** What stands below for an object that has parts. */
  #homeOf(handle: Handle): Handle {
    return this.#routers.get(handle)?.home ?? this.#workers.get(handle)?.parts[0]?.handle ?? handle
  }

  // The link below

  #call(method: string, ...params: unknown[]): Promise<unknown> {
    return this.#branch.caller.call(method, ...params)
  }

  /** Sends a request of the client's with other params. */
  #forward(id: Id | null | undefined, method: string, params: unknown[], answered?: (frame: Frame) => Frame) {
    if (id == null) return this.#branch.caller.notify(method, ...params)
    if (answered) this.#inFlight.set(id, answered)
    this.#branch.link.send(encodeRequest(id, method, params))
  }

  #pass(frame: Frame) {
    this.#branch.link.send(frame)
  }

  #unknown(kind: string, id: Id | null | undefined, handle: Handle | undefined) {
    if (id != null) throw new errors.NotFoundError(unknownHandle(kind, handle))
  }
}

const CREATED = /"result":\{"\$":"([^"]+)"(?:,"kind":"([^"]+)")?/

const createdBy = (frame: Frame): Handle | undefined => CREATED.exec(frame as string)?.[1]
const kindOf = (frame: Frame): string => CREATED.exec(frame as string)![2]!
const isFailure = (frame: Frame) => /^\{"jsonrpc":"2\.0","id":(?:\d+|"[^"]*"),"error":/.test(frame as string)
const resultOf = (frame: Frame) => (decode(frame) as { result?: unknown }).result

/** What is announced as the child of a part is the child of the whole. */
const renamed = (frame: Frame, { handle, owner }: RouterPart): Frame =>
  (frame as string).replace(`"of":"${handle}"`, `"of":"${owner.handle}"`).replace(`"params":["${handle}"`, `"params":["${owner.handle}"`)

function count(router: SpanningRouter, worker: WorkerPart, by: number) {
  router.counts.set(worker, (router.counts.get(worker) ?? 0) + by)
}

function unknownMethod(method: string): Error {
  return methods.has(method)
    ? new errors.UnsupportedError(`${method} is not supported by this tier`)
    : new ProtocolError(codes.method, `unknown method ${JSON.stringify(method)}: rpc.discover lists them all`)
}
