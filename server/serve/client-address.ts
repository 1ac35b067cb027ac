// The address of a client: that of its connection, unless a proxy that the operator trusts says for
// whom it connects, in X-Forwarded-For or in a header of the PROXY protocol.

import type { IncomingMessage, Server } from 'node:http'
import { type Socket, isIP } from 'node:net'
import ipaddr from 'ipaddr.js'
import { isLoopback } from './exposure.ts'
import { type ProxyHeader, parseProxyHeader } from './proxy-protocol.ts'

/** How long a trusted proxy may take for its header, in ms. */
const PATIENCE_MS = 3_000

export interface TrustedProxies {
  /** Addresses and networks of proxies: `10.0.0.0/8`, `::1`. Default: none. */
  trustProxy?: string[]
  /** Whether they begin each connection with a header of the PROXY protocol. */
  proxyProtocol?: boolean
}

type Peer = Pick<Socket, 'remoteAddress' | 'remotePort' | 'localAddress' | 'localPort'>
// What proxies that speak HTTP add.
const FORWARDED = ['x-forwarded-for', 'x-real-ip', 'forwarded', 'via']

type Network = ReturnType<typeof ipaddr.parseCIDR>

export class ClientAddresses {
  readonly #trusted: Network[]
  readonly #proxyProtocol: boolean
  // By connection and not by socket, because TLS has a socket of its own for it.
  readonly #told = new Map<string, ProxyHeader>()

  /** @throws TypeError for what is no network */
  constructor({ trustProxy = [], proxyProtocol = false }: TrustedProxies) {
    this.#trusted = trustProxy.map(parseNetwork)
    this.#proxyProtocol = proxyProtocol
    if (proxyProtocol && !trustProxy.length)
      throw new TypeError('the PROXY protocol is taken from trusted proxies: say which they are')
  }

  /** Whose connection it is, or, behind a proxy that speaks HTTP, whose request. */
  of({ socket, headers }: Pick<IncomingMessage, 'headers'> & { socket: Peer }): string {
    const header = this.#told.get(connectionOf(socket))
    if (header && header.address === undefined) return socket.remoteAddress ?? ''
    return this.#behind(this.ofConnection(socket), headers['x-forwarded-for'])
  }

  ofConnection(socket: Peer): string {
    return this.#told.get(connectionOf(socket))?.address ?? socket.remoteAddress ?? ''
  }

  /** Whether a program of this host asks by itself, and no proxy for somebody else. */
  isLocal({ socket, headers }: Pick<IncomingMessage, 'headers'> & { socket: Peer }): boolean {
    const { remoteAddress = '' } = socket
    return (
      isLoopback(remoteAddress.replace(/^::ffff:/, '')) &&
      !this.#isTrusted(remoteAddress) &&
      FORWARDED.every(name => headers[name] === undefined)
    )
  }

  /**
   * Reads the headers of the PROXY protocol of a server's connections, before TLS and HTTP.
   *
   * @param onRefused is told of a trusted proxy that sends none, and why
   */
  readHeaders(http: Server, onRefused: (address: string, why: string) => void) {
    if (!this.#proxyProtocol) return
    const listeners = http.listeners('connection')
    http.removeAllListeners('connection')
    http.on('connection', (socket: Socket) => {
      const begin = () => {
        for (const listener of listeners) listener.call(http, socket)
      }
      const address = socket.remoteAddress ?? ''
      if (!this.#isTrusted(address)) return begin()
      readHeader(socket).then(
        header => {
          this.#keep(socket, header)
          begin()
          socket.resume()
        },
        error => {
          socket.destroy()
          onRefused(address, (error as Error).message)
        }
      )
    })
  }

  #keep(socket: Socket, header: ProxyHeader) {
    const connection = connectionOf(socket)
    this.#told.set(connection, header)
    socket.once('close', () => this.#told.delete(connection))
  }

  /** Each proxy adds who came to it at the end: the last one that is no proxy of ours is it. */
  #behind(address: string, forwarded: string | string[] | undefined): string {
    if (forwarded === undefined) return address
    const hops = String(forwarded).split(',').map(addressIn)
    while (this.#isTrusted(address)) {
      const hop = hops.pop()
      if (hop === undefined) break
      address = hop
    }
    return address
  }

  #isTrusted(address: string): boolean {
    if (!this.#trusted.length || !isIP(address)) return false
    const parsed = ipaddr.process(address) // One of IPv4 may be written as IPv6.
    return this.#trusted.some(
      network => network[0].kind() === parsed.kind() && parsed.match(network)
    )
  }
}

/** @throws TypeError for what is no network */
export function parseNetwork(text: string): Network {
  try {
    const [address = '', bits, ...others] = text.split('/')
    if (isIP(address) && !others.length)
      return ipaddr.parseCIDR(`${address}/${bits ?? (isIP(address) === 6 ? 128 : 32)}`)
  } catch {
    // The number of bits is none.
  }
  throw new TypeError(
    `a trusted proxy is an address or a network, like 10.0.0.0/8 or ::1 (got ${text})`
  )
}

/** An entry of X-Forwarded-For, which may have a port; undefined when it is no address. */
function addressIn(entry: string): string | undefined {
  const text = entry.trim()
  const [, inBrackets, withPort] = /^\[(.*)\](?::\d+)?$|^([\d.]+):\d+$/.exec(text) ?? []
  const address = inBrackets ?? withPort ?? text
  return isIP(address) ? address : undefined
}

const connectionOf = ({ remoteAddress, remotePort, localAddress, localPort }: Peer) =>
  `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`

/** Leaves what follows the header on the socket, which is paused then. */
function readHeader(socket: Socket): Promise<ProxyHeader> {
  return new Promise((resolve, reject) => {
    let bytes = Buffer.alloc(0)
    const timer = setTimeout(
      () => end(new Error(`a trusted proxy sends its PROXY header within ${PATIENCE_MS} ms`)),
      PATIENCE_MS
    )
    const onClose = () => end(new Error('the connection ended before its PROXY header did'))
    socket.on('data', onData).on('error', end).once('close', onClose)

    function onData(chunk: Buffer) {
      bytes = Buffer.concat([bytes, chunk])
      try {
        const header = parseProxyHeader(bytes)
        if (header) end(undefined, header)
      } catch (error) {
        end(error as Error)
      }
    }

    function end(error?: Error, header?: ProxyHeader) {
      clearTimeout(timer)
      socket.off('data', onData).off('error', end).off('close', onClose)
      if (!header) {
        socket.on('error', () => {}) // It is destroyed.
        return reject(error)
      }
      socket.pause()
      if (bytes.length > header.length) socket.unshift(bytes.subarray(header.length))
      resolve(header)
    }
  })
}
