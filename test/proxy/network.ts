// Hosts that are network namespaces, on a bridge that is a hub: a wiretap sees every frame between them.

import { fork, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { networkInterfaces } from 'node:os'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterTest, isAlive, until } from '../helper.ts'

// Namespaces are named after the process, so that those of concurrent runs are not the same.
const PREFIX = 'mafalda'
const nameOf = (name: string) => `${PREFIX}-${process.pid}-${name}`
const HUB = nameOf('hub')
// The end of this process; the names of interfaces have 15 characters.
const OWN_INTERFACE = `mf${process.pid}`
// VXLAN carries frames in UDP (RFC 7348): that is how the wiretap, which is no raw socket, gets them.
const WIRETAP = { hub: '169.254.231.1', address: '169.254.231.2', port: '4789' }

/** Why there can be no network of namespaces here; undefined when there can be. */
export function obstacle(): string | undefined {
  if (process.platform !== 'linux') return 'network namespaces are Linux'
  if (process.getuid!() !== 0) return 'network namespaces are made by root'
  const probe = nameOf('probe')
  try {
    ip(`netns add ${probe}`)
    ip(`-n ${probe} link add bridge type bridge`)
    ip(`-n ${probe} link add veth type veth`)
    ip(`-n ${probe} link add wiretap type vxlan id 1 dstport ${WIRETAP.port}`)
    return undefined
  } catch (error) {
    return (error as Error).message
  } finally {
    tryIp(`netns del ${probe}`)
  }
}

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
  removeLeftovers()
  process.once('exit', remove)
  afterTest(() => {
    process.off('exit', remove)
    remove()
  })
  const subnet = freeSubnet()
  ip(`netns add ${HUB}`)
  ip(`-n ${HUB} link add bridge type bridge`)
  ip(`-n ${HUB} link set bridge up`)
  ip(`link add ${OWN_INTERFACE} type veth peer name own netns ${HUB}`)
  plug('own')
  ip(`addr add ${subnet}.1/24 dev ${OWN_INTERFACE}`)
  ip(`link set ${OWN_INTERFACE} up`)
  return names.map((name, i) => addHost(name, `${subnet}.${10 + i}`))
}

export type Host = ReturnType<typeof addHost>

function addHost(name: string, address: string) {
  const namespace = nameOf(name)
  ip(`netns add ${namespace}`)
  ip(`-n ${namespace} link set lo up`)
  ip(`-n ${HUB} link add ${name} type veth peer name eth0 netns ${namespace}`)
  plug(name)
  ip(`-n ${namespace} addr add ${address}/24 dev eth0`)
  ip(`-n ${namespace} link set eth0 up`)
  return { name, namespace, address, start: (script: string, ...args: string[]) => start(namespace, script, args) }
}

// What the bridge does not learn, it sends to all.
function plug(port: string) {
  ip(`-n ${HUB} link set ${port} master bridge up`)
  ip(`-n ${HUB} link set ${port} type bridge_slave learning off`)
}

// A process on a host ends with the one that started it, also if that one is killed.
const TOGETHER = 'data:text/javascript,process.on("disconnect", () => process.exit()); process.channel.unref()'

/** A Node.js process on a host, that tells what it has to tell. */
function start(namespace: string, script: string, args: string[]) {
  const child = fork(fileURLToPath(new URL(script, import.meta.url)), args, {
    execPath: 'ip',
    execArgv: ['netns', 'exec', namespace, process.execPath, '--import', TOGETHER],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc']
  })
  const lines: string[] = []
  const errors: string[] = []
  createInterface(child.stdout!).on('line', line => lines.push(line))
  createInterface(child.stderr!).on('line', line => errors.push(line))
  const exited = once(child, 'exit')
  afterTest(async () => {
    child.kill('SIGTERM')
    await exited
  })
  const alive = () => {
    if (child.exitCode !== null) throw new Error(`${script} ended with ${child.exitCode}: ${errors.join('\n')}`)
  }
  return { child, lines, alive }
}

/** `mafalda serve …` on a host, and its URL. */
export async function serveOn(host: Host, ...args: string[]) {
  const server = host.start('../../mafalda.ts', 'serve', '--listen', `${host.address}:0`, '--insecure', ...args)
  const url = await until(() => {
    server.alive()
    return server.lines.map(line => JSON.parse(line)).find(({ msg }) => msg === 'listening')?.url as string | undefined
  })
  return { ...server, host, url }
}

/** A leaf on each host, which tells its address to the clients and to the other hosts. */
export const startLeaves = (hosts: Host[]) =>
  Promise.all(hosts.map(host => serveOn(host, '--announced-address', host.address, '--pipe-address', host.address)))

/** A UDP socket on a host. */
export async function openEndpoint(host: Host) {
  const { child, alive } = host.start('endpoint.ts', host.address)
  const endpoint = {
    address: host.address,
    port: 0,
    /** Packets of RTP that arrived, by their SSRCs. */
    received: {} as Record<number, number>,
    send: (order: { count: number; port: number; ssrc: number; payload: string }) => child.send(order)
  }
  child.on('message', (news: object) => Object.assign(endpoint, news))
  await until(() => {
    alive()
    return endpoint.port
  })
  return endpoint
}

async function tap(host: Host) {
  ip(`-n ${HUB} link add wire mtu 1700 type veth peer name wire mtu 1700 netns ${host.namespace}`)
  ip(`-n ${HUB} addr add ${WIRETAP.hub}/30 dev wire`)
  ip(`-n ${HUB} link set wire up`)
  ip(`-n ${host.namespace} addr add ${WIRETAP.address}/30 dev wire`)
  ip(`-n ${host.namespace} link set wire up`)
  const { child, alive } = host.start('wiretap.ts', WIRETAP.address, WIRETAP.port)
  let listens = false
  const seen = new Map<string, Traffic>()
  child.on('message', (news: { listens: true } | { seen: [string, Traffic][] }) => {
    if ('listens' in news) listens = true
    else for (const [path, traffic] of news.seen) seen.set(path, traffic)
  })
  await until(() => {
    alive()
    return listens
  })
  ip(`-n ${HUB} link add wiretap mtu 1500 type vxlan id 1 remote ${WIRETAP.address} dstport ${WIRETAP.port} dev wire`)
  plug('wiretap')
  return { between: (from: { address: string }, to: { address: string }): Traffic => seen.get(`${from.address} ${to.address}`) ?? { rtp: 0, readable: 0 } }
}

/** Of our range, the subnet that this process may take. */
function freeSubnet(): string {
  const taken = new Set(Object.values(networkInterfaces()).flatMap(addresses => addresses ?? []).map(({ address }) => address.slice(0, address.lastIndexOf('.'))))
  for (let i = 0; i < 256; i++) {
    const subnet = `10.231.${(process.pid + i) % 256}`
    if (!taken.has(subnet)) return subnet
  }
  throw new Error('all of 10.231.0.0/16 is taken')
}

// A namespace takes its interfaces with it, and an interface its other end.
function remove() {
  for (const { name, pid } of namespaces()) if (pid === process.pid) tryIp(`netns del ${name}`)
  tryIp(`link del ${OWN_INTERFACE}`)
}

/** Of runs that were killed. */
function removeLeftovers() {
  for (const { name, pid } of namespaces()) if (!isAlive(pid)) tryIp(`netns del ${name}`)
}

function namespaces() {
  const names = tryIp('netns list').matchAll(new RegExp(`^(${PREFIX}-(\\d+)-\\w+)`, 'gm'))
  return [...names].map(([, name, pid]) => ({ name, pid: Number(pid) }))
}

function ip(command: string): string {
  const { status, stdout, stderr, error } = spawnSync('ip', command.split(' '), { encoding: 'utf8' })
  if (error || status !== 0) throw new Error(`ip ${command}: ${error?.message ?? stderr.trim()}`)
  return stdout
}

function tryIp(command: string): string {
  try {
    return ip(command)
  } catch {
    return '' // It is gone already.
  }
}
