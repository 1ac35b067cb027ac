// Hosts that are network namespaces, on a bridge that is a hub.

import { spawnSync } from 'node:child_process'
import { networkInterfaces } from 'node:os'
import { isAlive } from './processes.ts'

// Namespaces are named after the process, so that those of concurrent runs are not the same.
const PREFIX = 'mafalda'
const nameOf = (name: string) => `${PREFIX}-${process.pid}-${name}`
export const HUB = nameOf('hub')
// The end of this process; the names of interfaces have 15 characters.
const OWN_INTERFACE = `mf${process.pid}`

export interface Host {
  name: string
  namespace: string
  address: string
  /** Nothing comes to it, and nothing leaves it, until it is plugged in again. */
  unplug(): void
  plugIn(): void
}

export interface Network {
  /** That of this process. */
  address: string
  hosts: Host[]
  remove(): void
}

/** Why there can be no network of namespaces here; undefined when there can be. */
export function obstacle(): string | undefined {
  if (process.platform !== 'linux') return 'network namespaces are Linux'
  if (process.getuid!() !== 0) return 'network namespaces are made by root'
  const probe = nameOf('probe')
  try {
    ip(`netns add ${probe}`)
    ip(`-n ${probe} link add bridge type bridge`)
    ip(`-n ${probe} link add veth type veth`)
    ip(`-n ${probe} link add wiretap type vxlan id 1 dstport 4789`)
    return undefined
  } catch (error) {
    return (error as Error).message
  } finally {
    tryIp(`netns del ${probe}`)
  }
}

/**
 * Builds hosts, which are removed at the latest when this process ends; those of a run that was
 * killed are removed by the next one.
 */
export function openNetwork(names: readonly string[]): Network {
  removeLeftovers()
  process.once('exit', removeAll)
  const subnet = freeSubnet()
  ip(`netns add ${HUB}`)
  ip(`-n ${HUB} link add bridge type bridge`)
  ip(`-n ${HUB} link set bridge up`)
  ip(`link add ${OWN_INTERFACE} type veth peer name own netns ${HUB}`)
  attach('own')
  ip(`addr add ${subnet}.1/24 dev ${OWN_INTERFACE}`)
  ip(`link set ${OWN_INTERFACE} up`)
  return {
    address: `${subnet}.1`,
    hosts: names.map((name, i) => addHost(name, `${subnet}.${10 + i}`)),
    remove() {
      process.off('exit', removeAll)
      removeAll()
    }
  }
}

function addHost(name: string, address: string): Host {
  const namespace = nameOf(name)
  ip(`netns add ${namespace}`)
  ip(`-n ${namespace} link set lo up`)
  ip(`-n ${HUB} link add ${name} type veth peer name eth0 netns ${namespace}`)
  attach(name)
  ip(`-n ${namespace} addr add ${address}/24 dev eth0`)
  ip(`-n ${namespace} link set eth0 up`)
  return {
    name,
    namespace,
    address,
    unplug: () => void ip(`-n ${HUB} link set ${name} down`),
    plugIn: () => void ip(`-n ${HUB} link set ${name} up`)
  }
}

/** Puts an interface of the hub's on its bridge. What that does not learn, it sends to all. */
export function attach(port: string) {
  ip(`-n ${HUB} link set ${port} master bridge up`)
  ip(`-n ${HUB} link set ${port} type bridge_slave learning off`)
}

/** Of our range, the subnet that this process may take. */
function freeSubnet(): string {
  const taken = new Set(
    Object.values(networkInterfaces())
      .flatMap(addresses => addresses ?? [])
      .map(({ address }) => address.slice(0, address.lastIndexOf('.')))
  )
  for (let i = 0; i < 256; i++) {
    const subnet = `10.231.${(process.pid + i) % 256}`
    if (!taken.has(subnet)) return subnet
  }
  throw new Error('all of 10.231.0.0/16 is taken')
}

// A namespace takes its interfaces with it, and an interface its other end.
function removeAll() {
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

export function ip(command: string): string {
  const { status, stdout, stderr, error } = spawnSync('ip', command.split(' '), {
    encoding: 'utf8'
  })
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
