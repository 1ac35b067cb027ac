// What a session may ask of Producers of other sessions of its realm: what they are, and a Router
// to pipe them from.

import type * as ms from 'mediasoup/types'
import type { Handle } from './frame.ts'
import { errors } from './mediasoup.ts'

/** Names a Producer or a DataProducer. */
export interface Wanted {
  producerId?: string
  dataProducerId?: string
}

/** What a Producer, or a DataProducer, of another session is, and where. */
export type Found = Where & (Partial<FoundProducer> & Partial<FoundDataProducer>)

interface Where {
  /** The leaf, as in handles. */
  node: string
  paused: boolean
  type: ms.ProducerType | ms.DataProducerType
}

type FoundProducer = Pick<ms.Producer, 'kind' | 'rtpParameters' | 'consumableRtpParameters'>

type FoundDataProducer = Pick<ms.DataProducer, 'sctpStreamParameters' | 'label' | 'protocol'>

/** The same, and its Router, from which the session may pipe. */
export type Borrowed = Found & { router: Handle }

/** Throws a TypeError for what names none, or two. */
export function wantedOf(value: unknown): Wanted {
  const { producerId, dataProducerId } = Object(value) as Record<keyof Wanted, unknown>
  if (producerId && dataProducerId)
    throw new TypeError('just producerId or dataProducerId can be given')
  const id = producerId ?? dataProducerId
  if (typeof id !== 'string' || !id) throw new TypeError('missing producerId or dataProducerId')
  return producerId === undefined ? { dataProducerId: id } : { producerId: id }
}

/** What mediasoup says of an id that a Router does not have. */
export const unknownProducer = ({ producerId, dataProducerId }: Wanted) =>
  new errors.NotFoundError(
    producerId === undefined
      ? `DataProducer with id "${dataProducerId}" not found`
      : `Producer with id "${producerId}" not found`
  )

/** The realm that a tier above asks about, where that is not the one of its own session. */
export function realmIn(params: unknown[]): string | undefined {
  const { realm } = Object(params[0]) as { realm?: unknown }
  if (realm !== undefined && typeof realm !== 'string')
    throw new TypeError('if given, realm must be a string')
  return realm
}

/** The methods that consume: of an id that is not in the session, one may be borrowed. */
export const CONSUMING: ReadonlySet<string> = new Set(['consume', 'consumeData'])
