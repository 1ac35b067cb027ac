// What a session asks of the leaf itself, and what it is told about it.

import type * as ms from 'mediasoup/types'
import type { DrainOptions, DrainState, Draining } from '../../lib/drain.ts'
import { ProtocolError, codes } from '../../lib/errors.ts'
import { LOG_LEVELS, type Location } from '../../lib/hello.ts'
import type { Load, Usage } from '../../lib/load.ts'
import { errors } from '../../lib/mediasoup.ts'
import { encodeDiscovery } from '../../lib/openrpc.ts'
import { realmIn } from '../../lib/borrow.ts'
import { type RecallOptions, recallOptions, tellEntries } from '../../lib/recall.ts'
import type { Link } from '../../lib/tier.ts'
import {
  type Handle,
  type Id,
  encodeNotification,
  encodeResult,
  unknownHandle,
  unknownMethod
} from '../../lib/wire.ts'
import type { Borrowing } from './borrow/borrowing.ts'
import type { Leaf } from './context.ts'
import type { Objects } from './objects.ts'
import type { ServedObject } from './served-object.ts'
import type { SessionNetwork } from './network/network.ts'
import type { Send } from './context.ts'

// How long a recall keeps the event loop from other sessions at a time.
const TURN_MS = 1

interface TierCallsOptions {
  leaf: Leaf
  objects: Objects
  network: SessionNetwork
  borrowing: Borrowing
  link: Link
  send: Send
  /** The answers to what was asked before are lost. */
  onRecall(): void
}

export class TierCalls {
  readonly #leaf: Leaf
  readonly #objects: Objects
  readonly #network: SessionNetwork
  readonly #borrowing: Borrowing
  readonly #link: Link
  readonly #send: Send
  readonly #onRecall: () => void
  #usageTold: Usage = {}
  // The end of the recall that was asked for last.
  #recalling: Promise<void> | undefined

  constructor({ leaf, objects, network, borrowing, link, send, onRecall }: TierCallsOptions) {
    this.#leaf = leaf
    this.#objects = objects
    this.#network = network
    this.#borrowing = borrowing
    this.#link = link
    this.#send = send
    this.#onRecall = onRecall
    leaf.drain.on('change', this.#tellDraining)
  }

  request(id: Id, method: string, params: unknown[]) {
    if (method === 'tier.survey')
      return void this.#leaf.survey.viewers.view(this.#link, id, params[0])
    if (method === 'tier.recall') return void this.#recall(id, recallOptions(params))
    this.#send(
      method === 'rpc.discover'
        ? encodeDiscovery(id)
        : encodeResult(id, this.#resultOf(method, params)),
      { id }
    )
  }

  notify(method: string, params: unknown[]) {
    if (method !== 'tier.log') throw unknownMethod(method)
    this.#subscribeToLogs(params)
  }

  end() {
    this.#leaf.logs.unsubscribe(this)
    this.#leaf.meter.off('load', this.#tellLoad)
    this.#leaf.meter.off('usage', this.#tellUsage)
    this.#leaf.drain.off('change', this.#tellDraining)
    this.#leaf.drain.off('progress', this.#tellDrain)
  }

  #resultOf(method: string, params: unknown[]): unknown {
    switch (method) {
      case 'tier.hello':
        return this.#leaf.hello
      case 'tier.load':
        return this.#load(params[0] as { subscribe?: boolean } | undefined)
      case 'tier.usage': {
        this.#leaf.meter.off('usage', this.#tellUsage).on('usage', this.#tellUsage)
        // What was told before, a tier in between may have kept from who asks now.
        this.#usageTold = {}
        return this.#usage
      }
      case 'tier.drain':
        return this.#drain(params[0] as DrainOptions | undefined)
      case 'tier.locate':
        return this.#locate(params[0] as Handle)
      case 'tier.find':
        return this.#borrowing.find(params)
      case 'tier.search':
        return this.#borrowing.find(params, realmIn(params))
      case 'tier.borrow':
        return this.#borrowing.borrow(params)
      case 'tier.pipeListenInfo':
        return this.#leaf.pipeListenInfo
      case 'tier.iceServers':
        if (params[0] != null) this.#find(params[0] as Handle)
        return this.#leaf.iceServers()
      case 'tier.allowPeer':
        return this.#allowPeer(params)
      default:
        throw unknownMethod(method)
    }
  }

  // → {"id": 31, "method": "tier.recall", "params": [{"nodes": ["k3x"], "members": ["id"]}]}
  async #recall(id: Id, { nodes, members }: Required<RecallOptions>) {
    const isMeant = nodes.includes(this.#leaf.hello.node)
    if (isMeant) this.#onRecall()
    // Together they would take one turn of the event loop each.
    const [before, { promise, resolve }] = [this.#recalling, Promise.withResolvers<void>()]
    this.#recalling = promise
    if (before) await before
    const entries = isMeant ? this.#objects.recall(members) : []
    const count = await tellEntries(this.#link, this.#send, id, entries, nodes, TURN_MS)
    if (this.#recalling === promise) this.#recalling = undefined
    resolve()
    this.#send(encodeResult(id, { count }), { id })
    if (this.#leaf.drain.state.draining) this.#tellDraining()
  }

  #find(handle: Handle): ServedObject {
    const entry = this.#objects.all.get(handle)
    if (!entry) throw new errors.NotFoundError(unknownHandle('object', handle))
    return entry
  }

  #locate(handle: Handle): Location {
    const entry = this.#find(handle)
    const { node, mediasoup } = this.#leaf.hello
    const { pid } = entry.root.object as unknown as ms.Worker
    const router = routerOf(entry)
    return { node, pid, mediasoup, ...(router && { router: router.handle }) }
  }

  // → {"id": 2, "method": "tier.load", "params": [{"subscribe": false}]}
  #load({ subscribe = true }: { subscribe?: boolean } = {}): Load {
    const { meter } = this.#leaf
    meter.off('load', this.#tellLoad)
    if (subscribe) meter.on('load', this.#tellLoad)
    return meter.load
  }

  // ← {"method": "tier.load", "params": [{"capacity": 8, "used": 2.5, …}]}
  // Worth nothing when it is late: the next one follows.
  #tellLoad = (load: Load) => {
    if (this.#link.bufferedAmount === 0) this.#send(encodeNotification('tier.load', [load]))
  }

  /** What each of the session's Workers uses, where it is known. */
  get #usage(): Usage {
    const entries = [...this.#objects.workers].map(({ handle, object }) => [
      handle,
      this.#leaf.meter.usageOf((object as unknown as ms.Worker).pid)
    ])
    return Object.fromEntries(entries.filter(([, cores]) => cores !== undefined))
  }

  // ← {"method": "tier.usage", "params": [{"k3x/1": 0.42}]}
  #tellUsage = () => {
    if (this.#link.bufferedAmount > 0) return // The next one follows.
    const usage = this.#usage
    const changed = Object.entries(usage).filter(
      ([handle, cores]) => cores !== (this.#usageTold[handle] ?? 0)
    )
    if (!changed.length) return
    this.#usageTold = usage
    this.#send(encodeNotification('tier.usage', [Object.fromEntries(changed)]))
  }

  // → {"id": 8, "method": "tier.allowPeer", "params": ["k3x/31", {"ip": "10.0.0.8", "port": 40001}]}
  #allowPeer([handle, peer]: unknown[]) {
    const { object } = this.#objects.find('PipeTransport', handle)
    this.#network.peers.vouch(object, Object(peer) as object)
    return {}
  }

  // → {"id": 7, "method": "tier.drain", "params": [{"deadline": 60000}]}
  #drain({ deadline, cancel }: DrainOptions = {}): DrainState {
    const { drain } = this.#leaf
    if (cancel) drain.cancel()
    else drain.start({ deadline })
    drain.off('progress', this.#tellDrain)
    if (!cancel) drain.on('progress', this.#tellDrain)
    return drain.state
  }

  // ← {"method": "tier.drain", "params": [{"draining": true, "workers": 2, …}]}
  #tellDrain = (state: DrainState) => this.#send(encodeNotification('tier.drain', [state]))

  // ← {"method": "tier.draining", "params": [{"node": "k3x", "deadline": 60000, "workers": ["k3x/1"]}]}
  #tellDraining = () => {
    const workers = [...this.#objects.workers]
      .filter(({ closing }) => !closing)
      .map(({ handle }) => handle)
    if (!workers.length) return
    const { draining, deadline } = this.#leaf.drain.state
    const { node } = this.#leaf.hello
    this.#send(
      encodeNotification('tier.draining', [
        { node, workers, ...(draining ? { deadline } : { cancelled: true }) } satisfies Draining
      ])
    )
  }

  // → {"method": "tier.log", "params": [["warn", "error"]]}
  // ← {"method": "tier.log", "params": ["warn", "mediasoup:WARN:Channel", "[pid:4711] …"]}
  #subscribeToLogs([levels]: unknown[]) {
    if (!Array.isArray(levels))
      throw new ProtocolError(
        codes.params,
        `tier.log takes a list of levels: ${LOG_LEVELS.join(', ')}`
      )
    this.#leaf.logs.subscribe(this, {
      levels: new Set(levels),
      // What a shared Worker logs does not say whom it is about.
      owns: pid =>
        [...this.#objects.workers].some(
          ({ object, share: share }) =>
            (object as unknown as ms.Worker).pid === pid && (!share || share.alone)
        ),
      tell: (...params) => this.#send(encodeNotification('tier.log', params))
    })
  }
}

/** The Router that an object is, or is on. */
function routerOf(entry: ServedObject | undefined): ServedObject | undefined {
  return entry?.kind === 'Router' ? entry : entry && routerOf(entry.parent)
}
