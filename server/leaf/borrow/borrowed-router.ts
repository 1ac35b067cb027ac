// A Router of another session, from which one may pipe and do nothing else. What is made on it
// belongs to the session that borrowed it, and closes with that; its lender sees none of it.

import type { EventEmitter } from 'node:events'
import type * as ms from 'mediasoup/types'
import { EnhancedEventEmitter, errors } from '../../../lib/mediasoup.ts'
import type { MediasoupObject } from '../mediasoup-object.ts'
import type { WorkerShare } from '../share/worker-share.ts'

/** A Router, or its Worker, as its own session has it. */
interface Lender {
  readonly object: MediasoupObject
  readonly share: WorkerShare | undefined
  readonly root: Lender
  /** The ids of what others have on it. */
  hidden: Set<string> | undefined
}

/** Says, before something is made with it, whose that is. */
type Claim = (appData: object, router: BorrowedRouter) => void

type RouterEvents = { newtransport: [MediasoupObject]; close: [] }

export class BorrowedRouter extends EnhancedEventEmitter implements MediasoupObject {
  readonly observer: EventEmitter = new EnhancedEventEmitter<RouterEvents>()
  readonly appData = {}
  /** The Router, as its own session has it. */
  readonly lender: Lender
  /** Whether the borrower is told what happens on it; or else nobody above knows of it. */
  readonly isTold: boolean
  readonly #claim: Claim
  readonly #transports = new Set<MediasoupObject>()
  #closed = false

  constructor(lender: Lender, claim: Claim, isTold: boolean) {
    super()
    this.lender = lender
    this.isTold = isTold
    this.#claim = claim
    lender.object.observer.once('close', this.#lenderClosed)
  }

  get closed() {
    return this.#closed || this.lender.object.closed
  }

  close() {
    if (this.#closed) return
    this.#closed = true
    this.lender.object.observer.off('close', this.#lenderClosed)
    for (const transport of this.#transports) transport.close()
    this.#tell('close')
  }

  async createPipeTransport(options: ms.PipeTransportOptions): Promise<ms.PipeTransport> {
    if (this.closed) throw new errors.NotFoundError('the Router was closed by its own session')
    const appData = options.appData ?? {}
    this.#claim(appData, this)
    const router = this.lender.object as unknown as ms.Router
    return router.createPipeTransport({ ...options, appData })
  }

  /** mediasoup has made a transport on the Router, with appData of ours. */
  adopt(transport: MediasoupObject) {
    if (this.#closed) return transport.close()
    this.#transports.add(transport)
    transport.observer.once('close', () => this.#transports.delete(transport))
    this.#hide(transport)
    for (const event of ['newconsumer', 'newdataconsumer'])
      transport.observer.on(event, consumer => this.#hide(consumer))
    this.#tell('newtransport', transport)
  }

  /** In what the lender is told of its Router. */
  #hide(object: MediasoupObject) {
    const { id } = object as MediasoupObject & { id: string }
    const hidden = (this.lender.hidden ??= new Set())
    hidden.add(id)
    object.observer.once('close', () => hidden.delete(id))
  }

  #lenderClosed = () => {
    this.#closed = true
    this.#tell('close')
  }

  #tell(event: string, ...args: unknown[]) {
    ;(this.observer as EnhancedEventEmitter<Record<string, unknown[]>>).safeEmit(event, ...args)
  }
}

const ON_ROUTER: ReadonlySet<string> = new Set(['createPipeTransport', 'close'])
const PRODUCING: ReadonlySet<string> = new Set(['produce', 'produceData'])

/** Throws an UnsupportedError for what a borrowed Router is not lent for. */
export function checkBorrowed(
  { object, parent }: { object: object; parent: { object: object } | undefined },
  member: string
) {
  if (object instanceof BorrowedRouter && !ON_ROUTER.has(member))
    throw new errors.UnsupportedError(
      `a borrowed Router has createPipeTransport() and close() only (got ${member})`
    )
  if (parent?.object instanceof BorrowedRouter && PRODUCING.has(member))
    throw new errors.UnsupportedError(
      `a PipeTransport of a borrowed Router only consumes (got ${member})`
    )
}
