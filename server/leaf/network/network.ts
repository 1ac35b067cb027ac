// What sessions may do with the network of this host: which ports and addresses they listen on,
// what they announce there, and where they send. Each call that concerns the network is checked,
// and where needed completed, here.

import type * as ms from 'mediasoup/types'
import type { MediasoupObject } from '../served-object.ts'
import { type AddressSet, addressSet, parseAddress } from './addresses.ts'
import { ANNOUNCE, announcer } from './announcing.ts'
import { type ListenOptions, type Listening, listeningOf } from './listen-infos.ts'
import { Peers, peerRules } from './peers.ts'
import { type PortRange, checkRange, limitListening, limitWorker } from './ports.ts'
import { ReusedPorts } from './reused-ports.ts'

export interface NetworkRules {
  /**
   * The ports that transports, WebRtcServers and Workers of clients may have. Default: all that the
   * system gives.
   */
  rtcPorts?: PortRange
  /**
   * Where clients may listen: addresses, networks such as `10.0.0.0/8`, or `local`, which is what
   * this host has. Default: wherever the system lets them, multicast groups included.
   */
  allowListen?: string[]
  /**
   * Where PlainTransports and PipeTransports of clients must not send: addresses, networks, or
   * `non-public`. Transports of one session may always send to each other. Default: none;
   * `mafalda serve` has another one, because it knows who reaches the tier.
   */
  denyPeer?: string[]
  /** Exceptions from `denyPeer`. */
  allowPeer?: string[]
  /**
   * `always`: applications that announce addresses of a machine of their own get those of this host
   * instead. Default `when-missing`.
   */
  announce?: (typeof ANNOUNCE)[number]
}

interface NetworkOptions extends NetworkRules {
  announcedAddress?: string | readonly string[]
  pipeAddress: string
  log(text: string): void
}

/** Of a call: what it is called of, if that is not mediasoup itself. */
interface Target {
  kind: string
  object: MediasoupObject
}

type ListenTransport = MediasoupObject & Partial<Pick<ms.PlainTransport, 'tuple' | 'rtcpTuple'>>

/** The calls that listen. */
const LISTENING: ReadonlySet<string> = new Set([
  'createWebRtcServer',
  'createWebRtcTransport',
  'createPlainTransport',
  'createPipeTransport',
  'pipeToRouter'
])

/** The network of a leaf. */
export class Network {
  readonly ports: PortRange | undefined
  readonly allowsListen: AddressSet | undefined
  readonly allowListen: string
  readonly peers: ReturnType<typeof peerRules>
  readonly reused = new ReusedPorts()
  readonly announce: ReturnType<typeof announcer>

  /** @throws TypeError that says which option is wrong */
  constructor(options: NetworkOptions) {
    const { rtcPorts, allowListen } = options
    this.ports = rtcPorts && checkRange(rtcPorts)
    this.allowsListen = allowListen && addressSet('allowListen', allowListen)
    this.allowListen = allowListen?.join(', ') ?? ''
    this.peers = peerRules(options)
    this.announce = announcer(options)
  }
}

/** That of a session. */
export class SessionNetwork {
  readonly peers: Peers
  readonly #network: Network

  constructor(network: Network) {
    this.#network = network
    this.peers = new Peers(network.peers)
  }

  /** Checks, and where needed completes, the arguments of a call. */
  apply(member: string, args: unknown[], target?: Target) {
    if (member === 'createWorker' && this.#network.ports) args[0] ??= {}
    const [options] = args
    if (typeof options !== 'object' || options === null) return
    if (member === 'createWorker') {
      if (this.#network.ports) limitWorker(options, this.#network.ports)
    } else if (member === 'connect') this.#connect(options, target!)
    else if (LISTENING.has(member)) this.#listen(member, options)
  }

  /** A call has made an object, which listens where the arguments say. */
  made(object: MediasoupObject, [options]: readonly unknown[]) {
    const { tuple, rtcpTuple } = object as ListenTransport
    if (!tuple) return
    const [rtp, rtcp = rtp] = listeningOf(Object(options) as ListenOptions)
    const address = (listening: Listening | undefined) => String(listening?.info.ip)
    this.peers.add(object, [
      { address: address(rtp), port: tuple.localPort },
      ...(rtcpTuple ? [{ address: address(rtcp), port: rtcpTuple.localPort }] : [])
    ])
  }

  end() {
    this.#network.reused.release(this)
  }

  #connect(options: { ip?: unknown; port?: unknown }, { kind, object }: Target) {
    if (kind !== 'PlainTransport' && kind !== 'PipeTransport') return
    const moved = this.peers.moved(options)
    if (moved) options.ip = moved
    this.peers.check(kind, object, options)
  }

  #listen(member: string, options: ListenOptions) {
    const { ports, reused, announce } = this.#network
    const listening = listeningOf(options)
    if (!listening.length) return
    announce(member, listening)
    if (ports) limitListening(options, listening, ports)
    this.#checkAddresses(member, listening)
    reused.claim(this, listening)
    if (member === 'pipeToRouter') this.peers.checkAnnounced(listening)
  }

  #checkAddresses(member: string, listening: Listening[]) {
    const { allowsListen, allowListen, peers } = this.#network
    if (!allowsListen) return
    for (const { info } of listening) {
      const address = parseAddress(info.ip)
      if (!address || allowsListen(address)) continue
      // Where pipes of the tree are.
      if (/pipe/i.test(member) && ['127.0.0.1', peers.pipeAddress].includes(String(info.ip)))
        continue
      throw new TypeError(
        `ip must be an address on which the operator of the host lets clients listen (--allow-listen ${allowListen}): got ${String(info.ip)}`
      )
    }
  }
}
