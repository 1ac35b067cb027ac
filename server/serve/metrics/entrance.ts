// What happens at the entrance of a tier: connections, sessions, and who was refused.

import type { Duplex } from 'node:stream'
import type { ConnectionError } from '../../../lib/errors.ts'
import {
  AccessError,
  LimitError,
  ProtocolError,
  SessionError,
  closeCodes,
  codes
} from '../../../lib/errors.ts'
import type { Link } from '../../../lib/tier.ts'
import type { Audit, AuditEvent, AuditFacts } from '../audit.ts'
import { CallCounts } from './calls.ts'

/** Why somebody was refused. */
export const REFUSALS = [
  'tls',
  'upgrade',
  'token',
  'forbidden',
  'limit',
  'session',
  'unavailable',
  'other'
] as const

type Refusal = (typeof REFUSALS)[number]

/** Why a session ended. */
export const ENDS = ['client', 'lost', 'operator', 'limit', 'access', 'tier'] as const

type End = (typeof ENDS)[number]

/** Of a socket: what came and went before TLS. */
type Counted = Duplex & { bytesRead?: number; bytesWritten?: number }

export class Entrance {
  readonly calls = new CallCounts()
  readonly refusals = zeros(REFUSALS)
  readonly ends = zeros(ENDS)
  opened = 0
  resumed = 0
  connected = 0
  /** Sessions whose connection broke, */
  interrupted = 0
  /** and those that have none now. */
  disconnected = 0
  readonly #streams = new Set<Counted>()
  // Of connections that have ended.
  readonly #bytes = { in: 0, out: 0 }

  /** Answers the same audit, which is counted. */
  counted({ audit, refused }: Audit): Audit {
    return {
      audit: (event, facts) => {
        this.#happened(event)
        audit(event, facts)
      },
      refused: (facts, error) => {
        const why = refusalOf(facts, error)
        this.refusals.set(why, this.refusals.get(why)! + 1)
        if (why === 'limit') this.#hit(error ?? TOO_MANY)
        refused(facts)
      }
    }
  }

  #hit(error: Error | undefined) {
    if (error instanceof LimitError) this.calls.limits.hit(error.code)
  }

  #happened(event: AuditEvent) {
    if (event === 'connected') this.connected++
    if (event === 'opened') this.opened++
    if (event === 'resumed') this.resumed++
  }

  connection(stream: Duplex) {
    const counted: Counted = stream
    this.#streams.add(counted)
    stream.once('close', () => {
      this.#streams.delete(counted)
      this.#bytes.in += counted.bytesRead ?? 0
      this.#bytes.out += counted.bytesWritten ?? 0
    })
  }

  get connections() {
    return this.#streams.size
  }

  /** Since the begin, from clients and to them. */
  get bytes() {
    const bytes = { ...this.#bytes }
    for (const { bytesRead = 0, bytesWritten = 0 } of this.#streams) {
      bytes.in += bytesRead
      bytes.out += bytesWritten
    }
    return bytes
  }

  session(link: Link) {
    let isLost = false
    link.on('lost', () => {
      isLost = true
      this.interrupted++
      this.disconnected++
    })
    link.on('regained', () => {
      if (isLost) this.disconnected--
      isLost = false
    })
    link.once('close', error => {
      if (isLost) this.disconnected--
      this.#hit(error)
      const end = endOf(error)
      this.ends.set(end, this.ends.get(end)! + 1)
    })
  }
}

// Who is refused at the upgrade is told so by HTTP's status.
const TOO_MANY = new LimitError(codes.sessions, 'there may be no more connections')

const zeros = <T>(names: readonly T[]) => new Map(names.map(name => [name, 0]))

function refusalOf({ status, reason = '' }: AuditFacts, error: Error | undefined): Refusal {
  if (error instanceof LimitError) return 'limit'
  if (error instanceof AccessError) return 'token'
  if (error instanceof SessionError) return 'session'
  if (error instanceof ProtocolError) return 'other'
  if (reason.startsWith('TLS: ')) return 'tls'
  switch (status) {
    case undefined:
      return 'other'
    case 401:
      return 'token'
    case 403:
      return 'forbidden'
    case 429:
      return 'limit'
    case 503:
      return 'unavailable'
    default:
      return 'upgrade'
  }
}

function endOf(error: Error | undefined): End {
  if (!error) return 'client'
  if (error instanceof LimitError) return 'limit'
  switch ((error as ConnectionError).closeCode) {
    case closeCodes.ended:
      return 'operator'
    case closeCodes.tooMuch:
      return 'limit'
    case closeCodes.unauthenticated:
    case closeCodes.certificate:
      return 'access'
    case closeCodes.gone:
      return 'tier'
    default:
      return 'lost'
  }
}
