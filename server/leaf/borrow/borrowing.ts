// What a session borrows from others of its realm on the same leaf: it finds their Producers, pipes
// them to its own Routers when it consumes them there, and calls them there by the ids that they
// have.

import { randomUUID } from 'node:crypto'
import type * as ms from 'mediasoup/types'
import {
  type Borrowed,
  CONSUMING,
  type Found,
  type Wanted,
  unknownProducer,
  wantedOf
} from '../../../lib/borrow.ts'
import type { Leaf } from '../context.ts'
import type { SessionNetwork } from '../network/network.ts'
import type { Objects } from '../objects.ts'
import type { Listener, MediasoupObject, ServedObject } from '../served-object.ts'
import { BorrowedRouter } from './borrowed-router.ts'
import type { Naming } from './lending.ts'
import { type Pipe, connect, pipeDataProducer, pipeProducer, settings } from './pipe.ts'

interface Options {
  leaf: Leaf
  objects: Objects
  network: SessionNetwork
  events: Listener
  realm: string
}

/** A Producer that a Router has under another id than its session knows. */
export interface Alias {
  readonly id: string
  readonly entry: ServedObject
  /** Consumers that there are, or are about to be. */
  users: number
  /** It was brought for its Consumers, and ends with the last one. */
  readonly isBrought: boolean
}

type Call = Wanted & { id?: string; borrowed?: boolean; appData?: object }

const PRODUCING: ReadonlySet<string> = new Set(['produce', 'produceData'])
const NAMING: ReadonlySet<string> = new Set([
  ...CONSUMING,
  ...PRODUCING,
  'addProducer',
  'removeProducer',
  'pipeToRouter'
])

export class Borrowing {
  readonly #options: Options
  // Of each Router of the session: what is called otherwise there, by its id in the session; what
  // is on its way; and the pipes from Routers of others.
  readonly #aliases = new WeakMap<ServedObject, Map<string, Alias>>()
  readonly #coming = new WeakMap<ServedObject, Map<string, Promise<void>>>()
  readonly #pipes = new WeakMap<ServedObject, Map<ServedObject, Promise<Pipe>>>()
  /** What mediasoup knows by another id than the session: that one by its own. */
  readonly names = new Map<string, string>()
  // Those of others, by their own entries: told to a tier above, and not told.
  readonly #routers = {
    told: new Map<object, ServedObject>(),
    own: new Map<object, ServedObject>()
  }

  constructor(options: Options) {
    this.#options = options
  }

  /**
   * @param realm another one, of whose sessions a tier above asks; that of the session if undefined
   * @throws NotFoundError, the same for an id of another realm as for one that never was
   */
  find(params: unknown[], realm = this.#options.realm): Found {
    const wanted = wantedOf(params[0])
    return this.#describe(this.#lent(wanted, realm))
  }

  /** @throws NotFoundError, as above, and for what is the session's own */
  borrow(params: unknown[]): Borrowed {
    const wanted = wantedOf(params[0])
    const { realm, events } = this.#options
    const lent = this.#lent(wanted, realm, events)
    return { ...this.#describe(lent), router: this.#routerOf(lent, 'told').handle }
  }

  #lent(wanted: Wanted, realm: string, borrower?: Listener): ServedObject {
    const lent = this.#options.leaf.lending.find(realm, wanted, borrower)
    if (!lent) throw unknownProducer(wanted)
    return lent
  }

  #describe({ object }: ServedObject): Found {
    const { node } = this.#options.leaf.hello
    const { type, paused, ...producer } = pick(object)
    return { node, type, paused, ...producer }
  }

  /** The Router of a Producer of another session, as this one has it. */
  #routerOf(lent: ServedObject, by: 'told' | 'own'): ServedObject {
    const lender = lent.parent!.parent!
    const routers = this.#routers[by]
    const known = routers.get(lender)
    if (known && !known.object.closed) return known
    const { leaf, objects, events } = this.#options
    const router = objects.add(
      new BorrowedRouter(lender, leaf.lending.claim, by === 'told'),
      events
    )
    routers.set(lender, router)
    router.object.observer.once('close', () => routers.delete(lender))
    return router
  }

  /**
   * Puts the id that a Router has in place of the one that the session knows, in the arguments of a
   * call. Whoever makes the call releases what is answered if it fails.
   */
  apply(member: string, target: ServedObject, args: unknown[]): Alias | undefined {
    if (!NAMING.has(member)) return undefined
    const options = args[0] as Call | null | undefined
    if (typeof options !== 'object' || options === null) return undefined
    if (PRODUCING.has(member)) return void this.#produce(target, options, args)
    const alias = this.#aliasOf(target.kind === 'Router' ? target : target.parent!, options)
    if (!alias) return undefined
    const { id: real } = alias.entry.object as unknown as { id: string }
    const name = options.producerId === undefined ? 'dataProducerId' : 'producerId'
    const renamed: Call = { ...options, [name]: real }
    args[0] = renamed
    if (!CONSUMING.has(member)) return undefined
    alias.users++
    this.#name(renamed, {
      members: { [name]: alias.id },
      onAdded: ({ object }) => object.observer.once('close', () => this.release(alias))
    })
    return alias
  }

  #aliasOf(router: ServedObject, { producerId, dataProducerId }: Wanted): Alias | undefined {
    return this.#aliases.get(router)?.get(keyOf({ producerId, dataProducerId } as Wanted))
  }

  /** A process has an id once: what is piped to it once more has another one there. */
  #produce(target: ServedObject, options: Call, args: unknown[]) {
    const { borrowed = false, ...rest } = options
    const { id } = rest
    if (target.kind !== 'PipeTransport' || typeof id !== 'string') return
    if (borrowed !== true && !this.#options.leaf.lending.isTaken(id, target)) return
    const renamed: Call = { ...rest, id: randomUUID() }
    args[0] = renamed
    this.#name(renamed, this.#namingFor(id, borrowed === true))
  }

  #name(options: Call, naming: Naming) {
    if (typeof (options.appData ?? {}) !== 'object') return // mediasoup's to refuse.
    this.#options.leaf.lending.name((options.appData ??= {}), naming)
  }

  /** Of a Producer at the end of a pipe. */
  #namingFor(id: string, isBrought: boolean): Naming {
    return {
      members: { id },
      onAdded: entry => {
        const router = entry.parent!.parent!
        const aliases = this.#aliases.get(router) ?? new Map<string, Alias>()
        const key = keyOf(entry.kind === 'Producer' ? { producerId: id } : { dataProducerId: id })
        const alias: Alias = { id, entry, users: 0, isBrought }
        this.#aliases.set(router, aliases.set(key, alias))
        const { id: real } = entry.object as unknown as { id: string }
        this.names.set(real, id)
        entry.object.observer.once('close', () => {
          this.names.delete(real)
          if (aliases.get(key) === alias) aliases.delete(key)
        })
      }
    }
  }

  /** One Consumer less. */
  release(alias: Alias) {
    if (--alias.users === 0 && alias.isBrought) alias.entry.object.close()
  }

  /**
   * A Router does not have what is to be consumed there: it is piped from the Router of another
   * session of the realm that has it. Undefined when none has.
   */
  bring(
    member: string,
    target: ServedObject,
    [options]: readonly unknown[]
  ): Promise<void> | undefined {
    const router = target.parent
    if (!CONSUMING.has(member) || target.kind === 'PipeTransport' || !router) return undefined
    const { producerId, dataProducerId } = options as Wanted
    const wanted = (member === 'consume' ? { producerId } : { dataProducerId }) as Wanted
    const { leaf, realm, events } = this.#options
    const lent = leaf.lending.find(realm, wanted, events)
    if (!lent) return undefined
    const coming = this.#coming.get(router) ?? new Map<string, Promise<void>>()
    this.#coming.set(router, coming)
    const key = keyOf(wanted)
    let brought = coming.get(key)
    if (!brought) {
      brought = this.#pipe(lent, router).finally(() => coming.delete(key))
      coming.set(key, brought)
    }
    return brought
  }

  async #pipe(lent: ServedObject, router: ServedObject): Promise<void> {
    const pipe = await this.#pipeTo(router, this.#routerOf(lent, 'own'))
    const { id } = lent.object as unknown as { id: string }
    const naming = this.#namingFor(id, true)
    const appData = {}
    this.#options.leaf.lending.name(appData, {
      ...naming,
      onAdded: entry => {
        naming.onAdded!(entry)
        pipe.streams++
        entry.object.observer.once('close', left)
      }
    })
    pipe.streams++
    try {
      if (lent.kind === 'Producer')
        await pipeProducer(pipe, lent.object as unknown as ms.Producer, appData)
      else await pipeDataProducer(pipe, lent.object as unknown as ms.DataProducer, appData)
    } finally {
      left()
    }

    function left() {
      if (--pipe.streams === 0) pipe.to.close()
    }
  }

  #pipeTo(router: ServedObject, lender: ServedObject): Promise<Pipe> {
    const pipes = this.#pipes.get(router) ?? new Map<ServedObject, Promise<Pipe>>()
    this.#pipes.set(router, pipes)
    let pipe = pipes.get(lender)
    if (!pipe) {
      const forget = () => pipes.delete(lender)
      pipe = this.#connect(router, lender)
      pipes.set(lender, pipe)
      pipe.then(({ from }) => from.observer.once('close', forget), forget)
    }
    return pipe
  }

  async #connect(router: ServedObject, lender: ServedObject): Promise<Pipe> {
    const ends: [ms.PipeTransportOptions, ms.PipeTransportOptions] = [settings(), settings()]
    for (const options of ends) this.#options.network.apply('createPipeTransport', [options])
    return connect(lender.object as BorrowedRouter, router.object as unknown as ms.Router, ends)
  }
}

const keyOf = ({ producerId, dataProducerId }: Wanted) =>
  producerId === undefined ? `data ${dataProducerId}` : producerId

/** What there is to know of a Producer or a DataProducer before it is consumed. */
function pick(object: MediasoupObject) {
  const { kind, rtpParameters, consumableRtpParameters, type, paused } =
    object as unknown as ms.Producer
  if (kind !== undefined) return { kind, rtpParameters, consumableRtpParameters, type, paused }
  const data = object as unknown as ms.DataProducer
  const { sctpStreamParameters, label, protocol } = data
  return { sctpStreamParameters, label, protocol, type: data.type, paused: data.paused }
}
