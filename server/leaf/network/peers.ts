// Where the transports of a session may send. What goes from one of them to another is always
// allowed, and so is what a tier above has vouched for: a pipe to another host.

import type { MediasoupObject } from '../served-object.ts'
import {
  type AddressSet,
  addressSet,
  isLocal,
  isLoopback,
  isUnspecified,
  parseAddress
} from './addresses.ts'
import { type Listening, announcedBy } from './listen-infos.ts'

export interface PeerOptions {
  denyPeer?: string[]
  allowPeer?: string[]
  /** Where pipes from other hosts arrive. */
  pipeAddress: string
}

export interface PeerRules {
  denies: AddressSet
  allows: AddressSet
  /** Whether other hosts reach the pipes of this one, so that a pipe's far end may be there. */
  takesPipes: boolean
  pipeAddress: string
}

interface Peer {
  ip?: unknown
  port?: unknown
  rtcpPort?: unknown
}

interface Socket {
  address: string
  port: number
}

/** @throws TypeError that names the option, and what is wrong with it */
export function peerRules({ denyPeer = [], allowPeer = [], pipeAddress }: PeerOptions): PeerRules {
  const own = parseAddress(pipeAddress)
  return {
    denies: addressSet('denyPeer', denyPeer),
    allows: addressSet('allowPeer', allowPeer),
    takesPipes: own !== undefined && !isLoopback(own),
    pipeAddress
  }
}

export class Peers {
  readonly #rules: PeerRules
  readonly #sockets = new Map<string, MediasoupObject>()
  readonly #vouched = new WeakMap<MediasoupObject, string>()

  constructor(rules: PeerRules) {
    this.#rules = rules
  }

  /** A transport of the session listens here. */
  add(transport: MediasoupObject, sockets: Socket[]) {
    for (const socket of sockets) {
      const key = keyOf(socket.address, socket.port)
      this.#sockets.set(key, transport)
      transport.observer.once('close', () => {
        if (this.#sockets.get(key) === transport) this.#sockets.delete(key)
      })
    }
  }

  /** A tier above says that this is the other end of a pipe. */
  vouch(transport: MediasoupObject, { ip, port }: Peer) {
    this.#vouched.set(transport, keyOf(ip, port))
  }

  /** Checks the arguments of connect(). */
  check(kind: string, transport: MediasoupObject, peer: Peer) {
    const { ip, port, rtcpPort } = peer
    const address = parseAddress(ip)
    if (address === undefined) return // mediasoup refuses it.
    const isOwn = [port, rtcpPort ?? port].every(port => this.#has(address.toString(), port))
    if (isOwn || this.#vouched.get(transport) === keyOf(ip, port)) return
    const { denies, allows, takesPipes } = this.#rules
    if (allows(address)) return
    if (denies(address)) throw denied(`a ${kind} must not send to ${String(ip)}`)
    if (kind === 'PipeTransport' && takesPipes && isLoopback(address))
      throw new TypeError(
        `a PipeTransport of this host must not be connected to ${String(ip)}, port ${String(port)}, where no transport of the session listens: the other Router may be on another host. Use pipeToRouter(), or --announce always or --allow-peer ${String(ip)} at the host`
      )
  }

  /** Checks that of pipeToRouter(), which connects its ends to what they announce. */
  checkAnnounced(listening: Listening[]) {
    const { denies, allows } = this.#rules
    for (const each of listening) {
      const address = parseAddress(announcedBy(each))
      if (address && denies(address) && !allows(address))
        throw denied(`pipeToRouter() must not send to ${String(announcedBy(each))}`)
    }
  }

  /** Where on this host a transport of the session is that should be at a loopback address. */
  moved({ ip, port }: Peer): string | undefined {
    const { pipeAddress, takesPipes } = this.#rules
    const address = parseAddress(ip)
    if (!takesPipes || !address || !isLoopback(address)) return undefined
    if (this.#has(address.toString(), port)) return undefined
    return this.#sockets.has(keyOf(pipeAddress, port)) ? pipeAddress : undefined
  }

  #has(address: string, port: unknown): boolean {
    const parsed = parseAddress(address)!
    if (this.#sockets.has(keyOf(address, port))) return true
    const everywhere = parsed.kind() === 'ipv4' ? '0.0.0.0' : '::'
    return !isUnspecified(parsed) && isLocal(parsed) && this.#sockets.has(keyOf(everywhere, port))
  }
}

const keyOf = (ip: unknown, port: unknown) =>
  `${parseAddress(ip)?.toString() ?? String(ip)} ${JSON.stringify(port)}`

const denied = (what: string) =>
  new TypeError(
    `${what}, which the operator of the host does not allow (--deny-peer, --allow-peer)`
  )
