// One session on a vertical tier. Workers, Routers and WebRtcServers of the client are its own, and have parts below; all
// other objects are those of the tier below, and their frames pass as they are.

import type * as ms from 'mediasoup/types'
import type { Announcement, Reference } from '../lib/codec.ts'
import type { Draining } from '../lib/drain.ts'
import { ConnectionError, DrainingError, ProtocolError, UnknownOutcomeError, codes, describeError } from '../lib/errors.ts'
import type { Hello } from '../lib/hello.ts'
import type { Load } from '../lib/load.ts'
import { errors } from '../lib/mediasoup.ts'
import { discover } from '../lib/openrpc.ts'
import type { Frame, Link } from '../lib/tier.ts'
import { version } from '../lib/version.ts'
import { type Handle, type Id, decode, encodeNotification, encodeRequest, encodeResult, unknownHandle } from '../lib/wire.ts'
import { mergeRouterDumps, mergeServerDumps, mergeWorkerDumps, sumUsages } from './dumps.ts'
import { Growth } from './growth.ts'
import { type Head, headOf, kept } from '../lib/head.ts'
import { Pipes } from './pipes.ts'
import { Replicas } from './replicas.ts'
import { restore, restoreObserved, tagged } from './restore.ts'
import { type Branch, type CallHead, ProxySession, forgotten, paramsOf, unknownMethod, viaOf } from './session.ts'
import type { Placed, Produced, Replica, RouterPart, SpanningRouter, SpanningWorker, WorkerPart } from './span.ts'
import { Spans, count } from './spans.ts'
import type { SpanSettings } from './vertical.ts'

type Options = Record<string, unknown>

export interface SpanSessionOptions {
  link: Link
  branch: Branch
  /** Its own, at the start of its handles. */
  node: string
  nextHandle(): Handle
  settings: SpanSettings
  /** The id of the session, if there may be another process after this one. */
  session: string | undefined
}

export class SpanSession extends ProxySession {
  readonly #branch: Branch
  readonly #node: string
  readonly #nextHandle: () => Handle
  readonly #settings: SpanSettings
  /** The id of the session, by which parts are found again. */
  readonly #session: string | undefined
  // The client sees none of these.
  #pipes!: Pipes
  #replicas!: Replicas
  #spans!: Spans
  #growth!: Growth
  /** What is done with an answer on its way up. */
  readonly #inFlight = new Map<Id, (frame: Frame) => Frame>()
  #tellsLoad = false
  #recalled: Promise<unknown> = Promise.resolve()

  constructor({ link, branch, node, nextHandle, settings, session }: SpanSessionOptions) {
    super(link)
    this.#branch = branch
    this.#node = node
    this.#nextHandle = nextHandle
    this.#settings = settings
    this.#session = session
    this.#begin()
    branch.link.on('frame', frame => this.#fromBelow(frame))
    branch.link.once('close', error => link.close(error ?? new ConnectionError('the tier below closed the connection')))
    this.#call('tier.load').then(load => { this.#growth.load = load as Load }, () => {}) // The link is closed then.
  }

  #begin() {
    this.#pipes = new Pipes(this.#session ?? '', () => {}, handle => this.#replicas.ended(handle))
    this.#replicas = new Replicas(this.#pipes, this.#branch, this.#settings.linger)
    this.#spans = new Spans(this.#pipes, this.#replicas, worker => this.#growth.giveBackLater(worker))
    this.#growth = new Growth(this.#spans, this.#replicas, this.#branch.caller, this.#settings, this.#session)
  }

  protected override end() {
    this.#growth.end()
    this.#replicas.end()
    this.#branch.link.close()
  }

  /** The client asks for all that there is: because a tier has forgotten, perhaps this one. */
  #recall(id: Id | null | undefined) {
    this.#inFlight.clear()
    const recalled = this.#recallAll()
    this.settle(id, recalled)
    this.waitFor(recalled)
    this.#recalled = recalled.catch(() => {}) // The client is told.
  }

  async #recallBelow(): Promise<Announcement[]> {
    try {
      return await this.#call('tier.recall') as Announcement[]
    } catch (error) {
      if (error instanceof UnknownOutcomeError) return this.#recallBelow() // It has forgotten meanwhile.
      throw error
    }
  }

  async #recallAll(): Promise<Announcement[]> {
    const found = await this.#recallBelow()
    this.#growth.end()
    this.#replicas.end()
    const { load } = this.#growth
    this.#begin()
    this.#growth.load = load
    const { announcements, orphans, observed } = restore(found, { session: this.#session ?? '', branch: this.#branch, spans: this.#spans, pipes: this.#pipes, replicas: this.#replicas })
    for (const { kind, $ } of orphans) this.#branch.caller.notify(`${kind}.close`, $)
    await Promise.all(observed.map(async part => restoreObserved(await this.#call('Router.dump', part.handle) as ms.RouterDump, found, part, this.#spans, this.#replicas)))
    return announcements
  }

  protected override dispatch(head: CallHead, frame: Frame) {
    const { id, method, handle } = head
    if (id != null && this.#inFlight.has(id)) throw new ProtocolError(codes.request, `the id of a request is unique while it is in flight (${JSON.stringify(id)} is not)`)
    switch (method) {
      case 'tier.hello': return this.settle(id, this.#greet(viaOf(frame)))
      case 'tier.load': return this.#subscribeToLoad(id)
      case 'tier.pipeListenInfo':
      case 'tier.locate': return this.#forward(id, method, [this.#spans.homeOf(handle!)])
      case 'tier.recall': return this.#recall(id)
      case 'tier.drain': return this.#forward(id, method, paramsOf(frame))
      case 'rpc.discover': return this.answer(id, discover())
      case 'mediasoup.createWorker': return this.settle(id, this.#createWorker(paramsOf(frame)[0] as Options))
    }
    switch (method.slice(0, method.indexOf('.'))) {
      case 'Worker': return this.#callWorker(head, frame)
      case 'Router': return this.#callRouter(head, frame)
      case 'WebRtcServer': return this.#callServer(head)
      default: return this.#callObject(head, frame)
    }
  }

  async #greet(via: string[]): Promise<Hello> {
    const hello = await this.#call('tier.hello', { via: [...via, this.#node] }) as Hello
    return { ...hello, mafalda: version, node: this.#node }
  }

  // Workers

  async #createWorker(settings: Options | null | undefined): Promise<Announcement> {
    const handle = this.#nextHandle()
    const announcement = await this.#growth.createWorker(settings, handle)
    const { appData: _, ...shared } = settings ?? {}
    const worker = this.#spans.addWorker(handle, shared)
    this.#spans.addWorkerPart(this.#spans.newWorkerPart(worker), announcement)
    return { ...announcement, $: worker.handle }
  }

  #callWorker({ id, method, handle }: CallHead, frame: Frame) {
    const worker = this.#spans.workers.get(handle!)
    if (!worker) return this.#unknown('Worker', id, handle)
    if (!worker.parts.length && id != null) return this.#forward(id, method, [worker.last, ...paramsOf(frame).slice(1)])
    const each = (member: string, ...args: unknown[]) => Promise.all(worker.parts.map(part => this.#call(`Worker.${member}`, part.handle, ...args)))
    switch (method) {
      case 'Worker.close': {
        this.#closeWorker(worker)
        return this.answer(id, null)
      }
      case 'Worker.dump': return this.settle(id, each('dump').then(dumps => mergeWorkerDumps(dumps as ms.WorkerDump[], this.#spans.viewOf(worker))))
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
    for (const part of worker.parts) this.#branch.caller.notify('Worker.close', part.handle)
    this.#spans.closeWorker(worker)
  }

  // Routers

  async #createRouter(worker: SpanningWorker, options: Options | null | undefined): Promise<Announcement> {
    const home = await this.#growth.homeOf(worker)
    const handle = this.#nextHandle()
    const announcement = await this.#call('Worker.createRouter', home.handle, tagged(options, this.#session, { of: handle })).catch(error => {
      if (error instanceof DrainingError && worker.parts.some(({ draining }) => !draining)) return undefined
      throw error
    }) as Announcement | undefined
    if (!announcement) return this.#createRouter(worker, options)
    if (worker.closing) throw new errors.WorkerClosedError('the Worker was closed in the meantime')
    const router = this.#spans.addRouter(handle, worker, home, announcement, options?.mediaCodecs)
    return { ...announcement, $: router.handle, of: worker.handle }
  }

  #callRouter(head: CallHead, frame: Frame) {
    const { id, method, handle } = head
    const router = this.#spans.routers.get(handle!)
    if (!router) return this.#unknown('Router', id, handle)
    const [, options] = paramsOf(frame) as [Handle, Options | null | undefined]
    if (router.closed && method !== 'Router.close') return this.#forward(id, method, [router.home, this.#spans.below(options)])
    switch (method) {
      case 'Router.close': {
        this.#closeRouter(router)
        return this.answer(id, null)
      }
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
        for (const part of router.made) this.#branch.caller.notify(method, part.handle, options)
        return this.answer(id, null)
      }
      default: throw unknownMethod(method)
    }
  }

  async #dumpRouter(router: SpanningRouter) {
    // It may have lost its only one with a Worker below.
    if (!router.parts.size) await this.#growth.routerOn(router, router.worker.parts[0]!)
    const parts = await Promise.all(router.parts.values())
    const dumps = await Promise.all(parts.map(({ handle }) => this.#call('Router.dump', handle)))
    return mergeRouterDumps(dumps as ms.RouterDump[], this.#spans.viewOf(router.worker))
  }

  #closeRouter(router: SpanningRouter) {
    for (const part of router.made) this.#branch.caller.notify('Router.close', part.handle)
    this.#spans.closeRouter(router)
  }

  // Placement

  /** Creates a transport, or an RTP observer, where the policy says. */
  async #place({ id, method }: CallHead, router: SpanningRouter, options: Options | null | undefined) {
    const server = options?.webRtcServer as Reference | null | undefined
    const known = this.#spans.servers.get(server?.$ ?? '')
    // Closed, or another Worker's: that is mediasoup's to refuse.
    if (known && !router.worker.servers.has(known)) return this.#forward(id, method, [router.home, this.#spans.below(options)])
    let part: RouterPart | undefined
    try {
      // What pipes from elsewhere reach is where tier.pipeListenInfo says.
      const chosen = part = (method === 'Router.createPipeTransport' && this.#growth.atHome(router)) || await this.#growth.choose(router)
      if (router.closed) throw new errors.NotFoundError('the Router was closed in the meantime')
      const params = server ? { ...options, webRtcServer: await this.#growth.serverOn(server, part.worker) } : options
      this.#forward(id, method, [part.handle, params], frame => this.#placedAt(chosen, frame))
    } catch (error) {
      if (part) count(router, part.worker, -1)
      this.fail(id, error)
    }
  }

  #placedAt(part: RouterPart, frame: Frame): Frame {
    const handle = createdBy(frame)
    if (handle === undefined) count(part.owner, part.worker, -1)
    // A WebRtcServer's event may have announced it already.
    else if (!this.#spans.placed.has(handle)) this.#spans.addPlaced(part, handle, kindOf(frame))
    return renamed(frame, part)
  }

  // WebRtcServers: one on each Worker that needs it

  async #createServer(worker: SpanningWorker, options: Options): Promise<Announcement> {
    const home = await this.#growth.homeOf(worker)
    const handle = this.#nextHandle()
    const { appData: _, ...shared } = Object(options) as Options
    const announcement = await this.#call('Worker.createWebRtcServer', home.handle, tagged(options, this.#session, { of: handle, options: shared })) as Announcement
    const server = this.#spans.addServer(handle, worker, home, options, announcement)
    return { ...announcement, $: server.handle, of: worker.handle }
  }

  #callServer({ id, method, handle }: CallHead) {
    const server = this.#spans.servers.get(handle!)
    if (!server) return this.#unknown('WebRtcServer', id, handle)
    // Closed with its Worker: that part still says what mediasoup says.
    if (server.worker.closing && !server.parts.size) return this.#forward(id, method, [server.home])
    const each = async (member: string) => Promise.all((await Promise.all(server.parts.values())).map(part => this.#call(`WebRtcServer.${member}`, part)))
    switch (method) {
      case 'WebRtcServer.close': {
        for (const part of this.#spans.closeServer(server)) this.#branch.caller.notify(method, part)
        return this.answer(id, null)
      }
      case 'WebRtcServer.dump': return this.settle(id, each('dump').then(dumps => mergeServerDumps(dumps as ms.WebRtcServerDump[], server.id)))
      default: throw unknownMethod(method)
    }
  }

  // Transports, Producers, Consumers, RTP observers: those of the tier below

  #callObject(head: CallHead, frame: Frame) {
    const { method, handle } = head
    const placed = this.#spans.placeOf(handle!)
    switch (method.slice(method.indexOf('.') + 1)) {
      case 'consume':
      case 'addProducer': return placed ? this.#use(head, frame, placed, (paramsOf(frame)[1] as { producerId?: string } | undefined)?.producerId, placed.part.owner.producers) : this.#pass(frame)
      case 'consumeData': return placed ? this.#use(head, frame, placed, (paramsOf(frame)[1] as { dataProducerId?: string } | undefined)?.dataProducerId, placed.part.owner.dataProducers) : this.#pass(frame)
      case 'removeProducer': return placed ? this.#removeProducer(head, frame, placed) : this.#pass(frame)
      case 'dump': return this.#dumpObject(head, frame)
      case 'produce':
      case 'produceData': return this.#produce(head, frame, placed)
      case 'close': {
        this.#spans.remove(handle!)
        return this.#pass(frame)
      }
      default: return this.#pass(frame)
    }
  }

  /** A Consumer of a piped Producer says of it what one of the original would. */
  #dumpObject({ id, handle }: CallHead, frame: Frame) {
    const replica = this.#spans.replicaOf(handle!)
    if (!replica || id == null) return this.#pass(frame)
    this.#inFlight.set(id, answer => {
      const dump = resultOf(answer) as ms.ConsumerDump | undefined
      const { ssrcs } = replica.of
      if (!dump || !ssrcs) return answer
      const consumableRtpEncodings = dump.consumableRtpEncodings?.map((encoding, i) => ({ ...encoding, ssrc: ssrcs[i] ?? encoding.ssrc }))
      return encodeResult(id, { ...dump, consumableRtpEncodings })
    })
    this.#pass(frame)
  }

  #produce({ id }: CallHead, frame: Frame, placed: Placed | undefined) {
    if (!placed || id == null) return this.#pass(frame)
    const { worker, owner } = placed.part
    const wanted = (paramsOf(frame)[1] as { id?: string } | undefined)?.id
    const known = wanted === undefined ? undefined : this.#spans.producerWith(wanted, owner.worker)
    if (!known || known.at.part.worker === worker) return this.#passProduce(id, frame, placed)
    this.#bring(known, worker).then(() => this.#passProduce(id, frame, placed), error => this.fail(id, error))
  }

  /** To a Worker that is to refuse another Producer of the same id, as one Worker would. */
  async #bring(produced: Produced, worker: WorkerPart) {
    try {
      const replica = this.#replicas.hold(produced, await this.#growth.routerOn(produced.at.part.owner, worker))
      await replica.ready.finally(() => this.#replicas.release(replica))
    } catch (error) {
      if (error instanceof DrainingError) throw error
      // It is gone, and so its id is free.
    }
  }

  #passProduce(id: Id, frame: Frame, placed: Placed) {
    const { mediaCodecs } = placed.part.owner
    this.#inFlight.set(id, answer => {
      const announcement = resultOf(answer) as Announcement | undefined
      if (announcement?.members) this.#spans.addProduced(placed, announcement, mediaCodecs)
      return answer
    })
    this.#pass(frame)
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
        if (holder !== undefined && (user === undefined || !isFailure(answer)) && !placed.uses?.has(holder)) {
          if (user === undefined) this.#spans.addConsumer(holder, placed, replica)
          else this.#spans.addUse(holder, placed, replica)
        } else if (replica) {
          this.#replicas.release(replica)
        }
        return answer
      })
    }
    this.#pass(frame)
  }

  #removeProducer({ id }: CallHead, frame: Frame, placed: Placed) {
    const produced = placed.part.owner.producers.get((paramsOf(frame)[1] as { producerId?: string } | undefined)?.producerId!)
    if (!produced || id == null) return this.#pass(frame)
    // When it was not added, which mediasoup does not mind, it has to be there all the same.
    const isAdded = produced.at.part === placed.part || placed.uses?.has(produced.handle)
    const replica = isAdded ? placed.uses?.get(produced.handle) : this.#replicas.hold(produced, placed.part)
    const release = () => {
      if (isAdded) this.#spans.releaseUse(placed, produced.handle)
      else this.#replicas.release(replica!)
    }
    const pass = () => {
      // Until then, its event has to be given the name of the original.
      this.#inFlight.set(id, answer => {
        release()
        return answer
      })
      this.#pass(frame)
    }
    if (!replica) return pass()
    replica.ready.then(pass, error => {
      release()
      this.fail(id, error)
    })
  }

  /** Between Routers of the client: from the Worker where the Producer is, to where the other Router is at home. */
  async #pipeToRouter(id: Id | null | undefined, router: SpanningRouter, options: Options) {
    const { producerId, dataProducerId, keepId = true } = options as { producerId?: string; dataProducerId?: string; keepId?: boolean }
    const target = this.#spans.routers.get((options.router as Reference | undefined)?.$ ?? '')
    const produced = producerId === undefined ? router.dataProducers.get(dataProducerId!) : router.producers.get(producerId)
    if (!target || target === router || target.closed || !produced) {
      const to = target === router ? router.home : target?.home
      return this.#forward(id, 'Router.pipeToRouter', [router.home, { ...options, router: to === undefined ? options.router : { $: to } }])
    }
    const { here, there } = await this.#pairOf(router, target, produced)
    if (produced.at.part !== here) await this.#replicas.hold(produced, here).ready
    const known = keepId ? this.#spans.producerWith(produced.id, target.worker) : undefined
    if (known && known.at.part.worker !== there.worker) await this.#bring(known, there.worker)
    this.#forward(id, 'Router.pipeToRouter', [here.handle, { ...options, router: { $: there.handle } }])
  }

  /** Two Routers of the client are piped together at one part of each, so that they have one pair of PipeTransports. */
  async #pairOf(router: SpanningRouter, target: SpanningRouter, { at }: Produced): Promise<{ here: RouterPart; there: RouterPart }> {
    const [here, there] = [router.pairs.get(target), target.pairs.get(router)]
    const isLasting = (part: RouterPart) => this.#spans.routerParts.has(part.handle) && !part.worker.draining
    if (here && there && isLasting(here) && isLasting(there)) return { here, there }
    const source = [at.part, ...router.made].find(isLasting) ?? at.part
    router.pairs.set(target, source)
    // Within one Worker of the client, on one below: it refuses to have two Producers of the same id.
    const workers = target.worker === router.worker ? [source.worker] : [...target.parts.keys()]
    const worker = workers.find(({ draining }) => !draining) ?? workers[0]
    const part = worker ? await this.#growth.routerOn(target, worker) : await this.#growth.choose(target)
    // A concurrent call may have been first.
    const known = target.pairs.get(router)
    if (!known || !isLasting(known)) target.pairs.set(router, part)
    return { here: router.pairs.get(target)!, there: target.pairs.get(router)! }
  }

  // From below

  #fromBelow(frame: Frame) {
    this.holdBack(this.#branch.link)
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
    if (method === 'tier.forgot') forgotten(this.#branch)
    if (method === 'tier.draining') return void this.#draining(paramsOf(frame)[0] as Draining)
    const [kind, event] = method.split('.') as [string, string]
    if (kind === 'Worker') return this.#workerPartHappened(event, handle!, frame)
    if (kind === 'Router') return this.#routerPartHappened(head, frame)
    if (kind === 'WebRtcServer') return this.#serverPartHappened(head, frame)
    if (handle !== undefined && this.#pipes.owns(handle)) return this.#pipes.happened(head as Required<Head>)
    if (/^new(data)?producer$/.test(event)) {
      const placed = this.#spans.placed.get(handle!)
      if (placed) this.#spans.addProduced(placed, paramsOf(frame)[2] as Announcement)
    } else if (/close$/.test(event)) {
      this.#spans.remove(handle!)
    }
    this.link.send(kind.endsWith('Observer') ? this.#replicas.named(frame) : frame)
  }

  // mediasoup's own creations: the transports of pipeToRouter().
  #routerPartHappened({ handle }: CallHead, frame: Frame) {
    const part = this.#spans.routerParts.get(handle!)
    if (!part) return
    const announcement = paramsOf(frame)[2] as Announcement | undefined
    if (announcement) {
      this.#spans.addPlaced(part, announcement.$, announcement.kind)
      count(part.owner, part.worker, 1)
    }
    this.link.send(renamed(frame, part))
  }

  #serverPartHappened({ handle }: CallHead, frame: Frame) {
    const server = this.#spans.serverParts.get(handle!)
    if (!server) return
    const transport = paramsOf(frame)[2] as Announcement | undefined
    const part = this.#spans.routerParts.get(transport?.of ?? '')
    if (part) this.#spans.addPlaced(part, transport!.$, transport!.kind)
    const text = (frame as string).replace(`"params":["${handle}"`, `"params":["${server.handle}"`)
    this.link.send(part ? renamed(text, part) : text)
  }

  #workerPartHappened(event: string, handle: Handle, frame: Frame) {
    const part = this.#spans.workerParts.get(handle)
    if (!part) return
    const { owner } = part
    if (event === 'subprocessclose' || event === 'died') this.#spans.workerParts.delete(handle)
    if (event === 'subprocessclose' && owner.closing && owner.parts.every(({ handle }) => !this.#spans.workerParts.has(handle))) {
      this.link.send(encodeNotification('Worker.subprocessclose', [owner.handle, { subprocessClosed: true }]))
    }
    if (event === 'died' || (event === 'close' && !owner.closing)) this.#lostPart(part, paramsOf(frame)[2] ?? { $: 'error', ...describeError(new Error('the Worker was closed on its host')) })
  }

  /** A Worker below died: what was on it is closed, as if its Router had; the rest lives on. */
  #lostPart(part: WorkerPart, error: unknown) {
    const { owner } = part
    if (owner.closing) return
    this.#spans.removeWorkerPart(part)
    if (!owner.parts.length) {
      this.#spans.closeWorker(owner)
      this.link.send(encodeNotification('Worker.died', [owner.handle, { died: true, subprocessClosed: true }, error]))
      return
    }
    for (const router of owner.routers) {
      for (const { kind, handle } of this.#spans.detach(router, part)) this.link.send(encodeNotification(`${kind}.routerclose`, [handle, null]))
    }
  }

  // Hosts that drain

  /** Leaves a host that is to end, as far as it can, and says which Workers it takes with it; their transports are the client's to move. */
  async #draining({ workers, cancelled = false, ...host }: Draining) {
    await this.#recalled
    const parts = workers.flatMap(handle => this.#spans.workerParts.get(handle) ?? [])
    for (const part of parts) part.draining = !cancelled
    const owners = [...new Set(parts.map(({ owner }) => owner))].filter(({ closing }) => !closing)
    const isLasting = await Promise.all(owners.map(owner => !cancelled && this.#growth.evacuate(owner)))
    if (!owners.length || parts.some(({ draining }) => draining === cancelled)) return // It was told otherwise in the meantime.
    const ending = owners.filter((_, i) => !isLasting[i]).map(({ handle }) => handle)
    this.link.send(encodeNotification('tier.draining', [{ ...host, ...cancelled && { cancelled }, workers: ending } satisfies Draining]))
  }

  // Load

  #subscribeToLoad(id: Id | null | undefined) {
    this.#tellsLoad = true
    this.answer(id, this.#growth.load)
  }

  #loadReported(frame: Frame) {
    this.#growth.load = paramsOf(frame)[0] as Load
    if (this.#tellsLoad && this.link.bufferedAmount === 0) this.link.send(frame)
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

function createdBy(frame: Frame): Handle | undefined {
  const handle = CREATED.exec(frame as string)?.[1]
  return handle && kept(handle)
}
const kindOf = (frame: Frame): string => CREATED.exec(frame as string)![2]!
const isFailure = (frame: Frame) => /^\{"jsonrpc":"2\.0","id":(?:[^",]+|"(?:[^"\\]|\\.)*"),"error":/.test(frame as string)
const resultOf = (frame: Frame) => (decode(frame) as { result?: unknown }).result

/** What is announced as the child of a part is the child of the whole. */
const renamed = (frame: Frame, { handle, owner }: RouterPart): Frame =>
  (frame as string).replace(`"of":"${handle}"`, `"of":"${owner.handle}"`).replace(`"params":["${handle}"`, `"params":["${owner.handle}"`)
