// Hosts that are network namespaces, on a bridge that is a hub: a wiretap sees every frame between
// them.

import { fileURLToPath } from 'node:url'
import { HUB, attach, ip, openNetwork } from './network-namespaces.ts'
import { ask, end, inNamespace, listening, startNode } from './processes.ts'
import { afterTest } from '../helper.ts'

export { obstacle } from './network-namespaces.ts'

// VXLAN carries frames in UDP (RFC 7348): that is how the wiretap, which is no raw socket, gets
// them.
const WIRETAP = { hub: '169.254.231.1', address: '169.254.231.2', port: '4789' }

/** What the wiretap saw from one address to another. */
export interface Traffic {
  /** Packets of RTP. */
  rtp: number
  /** Packets, of any kind, in which the secret can be read. */
  readable: number
}

/** Builds hosts, and a wiretap on the last of them. */
export async function startNetwork(names: string[]) {
  const hosts = startHosts(names)
  return { hosts, wiretap: await tap(hosts.at(-1)!) }
}

/** Builds hosts, on which processes can be started, and ends all of it after the test. */
export function startHosts(names: string[]) {
  const network = openNetwork(names)
  afterTest(() => network.remove())
  return network.hosts.map(({ name, namespace, address }) => ({
    name,
    namespace,
    address,
    start: (script: string, ...args: string[]) => start(namespace, script, args)
  }))
}

export type Host = ReturnType<typeof startHosts>[number]

/** A Node.js process on a host, of a script in test/, that tells what it has to tell. */
function start(namespace: string, script: string, args: string[]) {
  const path = fileURLToPath(new URL(`../${script}`, import.meta.url))
  const started = startNode([path, ...args], { prefix: inNamespace(namespace) })
  afterTest(() => end(started.child, 'SIGTERM'))
  return started
}

/** `mafalda serve …` on a host, and its URL. */
export async function serveOn(host: Host, ...args: string[]) {
  const server = host.start(
    '../mafalda.ts',
    'serve',
    '--listen',
    `${host.address}:0`,
    '--insecure',
    ...args
  )
  return { ...server, host, url: await listening(server) }
}

/** A leaf on each host, which tells its address to the clients and to the other hosts. */
export const startLeaves = (hosts: Host[]) =>
  Promise.all(
    hosts.map(host =>
      serveOn(host, '--announced-address', host.address, '--pipe-address', host.address)
    )
  )

/** A UDP socket on a host. */
export async function openEndpoint(host: Host) {
  const { child } = host.start('proxy/endpoint.ts', host.address)
  const endpoint = {
    address: host.address,
    port: 0,
    /** Packets of RTP that arrived, by their SSRCs. */
    received: {} as Record<number, number>,
    send: (order: { count: number; port: number; ssrc: number; payload: string }) =>
      child.send(order)
  }
  child.on('message', (news: object) => Object.assign(endpoint, news))
  await ask(child) // Its port.
  return endpoint
}

async function tap(host: Host) {
  ip(`-n ${HUB} link add wire mtu 1700 type veth peer name wire mtu 1700 netns ${host.namespace}`)
  ip(`-n ${HUB} addr add ${WIRETAP.hub}/30 dev wire`)
  ip(`-n ${HUB} link set wire up`)
  ip(`-n ${host.namespace} addr add ${WIRETAP.address}/30 dev wire`)
  ip(`-n ${host.namespace} link set wire up`)
  const { child } = host.start('proxy/wiretap.ts', WIRETAP.address, WIRETAP.port)
  const seen = new Map<string, Traffic>()
  child.on('message', (news: { seen?: [string, Traffic][] }) => {
    for (const [path, traffic] of news.seen ?? []) seen.set(path, traffic)
  })
  await ask(child) // It listens.
  ip(
    `-n ${HUB} link add wiretap mtu 1500 type vxlan id 1 remote ${WIRETAP.address} dstport ${WIRETAP.port} dev wire`
  )
  attach('wiretap')
  return {
    between: (from: { address: string }, to: { address: string }): Traffic =>
      seen.get(`${from.address} ${to.address}`) ?? { rtp: 0, readable: 0 }
  }
}
