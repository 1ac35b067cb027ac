// Runs rendered manifests without a cluster: each pod in a network namespace of its own, its containers
// with their commands, environment, volumes, rights, probes and signals. What is not there: scheduling,
// restarts, resources, and the translation of a Service's port to another one.

import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { type Container, type Mount, bind, startContainer } from './container.ts'
import { type Manifest, NAMESPACE } from './helm.ts'
import type { Image } from './image.ts'
import { type Host, openNetwork } from './network-namespaces.ts'
import {
  type ConfigMap,
  type ContainerSpec,
  type PodPlan,
  expand,
  hostsFile,
  ofKind,
  podsOf
} from './pods.ts'
import { until } from './until.ts'

const SECONDS = 120
const GRACE_SECONDS = 30

export interface ClusterOptions {
  /** By the end of an image's name without tag, such as `mafalda`. */
  images: Record<string, Image>
  secrets: Record<string, Record<string, string>>
}

export interface Pod {
  name: string
  address: string
  containers: Map<string, Container>
  /** Whether a probe of its first container has this outcome now. */
  probe(kind: 'livenessProbe' | 'readinessProbe'): Promise<boolean>
  /** As when it is deleted; resolves with the exit codes of its containers, in the order of their ends. */
  end(): Promise<Record<string, number | null>>
}

export interface Cluster {
  pods: Pod[]
  /** The address of this process in the network. */
  address: string
  /** A URL of the cluster with the address that its name stands for. */
  reach(url: string): string
  end(): Promise<Record<string, number | null>[]>
}

export async function startCluster(manifests: Manifest[], options: ClusterOptions) {
  const folder = mkdtempSync(join(tmpdir(), 'mafalda-cluster-'))
  chmodSync(folder, 0o755)
  const plans = podsOf(manifests)
  const network = openNetwork(plans.map((_, i) => `pod${i}`))
  const placed = plans.map((plan, i) => ({ ...plan, host: network.hosts[i]! }))
  const addresses = placed.map(({ host, ...plan }) => ({ ...plan, address: host.address }))
  const hosts = join(folder, 'hosts')
  writeFileSync(hosts, hostsFile(manifests, addresses, NAMESPACE))
  const started = await Promise.allSettled(
    placed.map(plan => startPod(plan, manifests, { ...options, folder, hosts }))
  )
  const failed = started.find(each => each.status === 'rejected')
  const pods = started.flatMap(each => (each.status === 'fulfilled' ? each.value : []))
  const cluster: Cluster = { pods, address: network.address, reach, end }
  if (!failed) return cluster
  await end()
  throw failed.reason

  function reach(url: string): string {
    const { hostname } = new URL(url)
    const pod = addresses.find(({ name }) => hostname.startsWith(`${name}.`))
    if (!pod) throw new Error(`${url} must have the name of a pod`)
    return url.replace(hostname, pod.address)
  }

  async function end() {
    const codes = await Promise.all(pods.map(pod => pod.end()))
    network.remove()
    rmSync(folder, { recursive: true, force: true })
    return codes
  }
}

interface Placed extends PodPlan {
  host: Host
}
interface Surroundings extends ClusterOptions {
  folder: string
  hosts: string
}

async function startPod(pod: Placed, manifests: Manifest[], around: Surroundings): Promise<Pod> {
  const { name, spec, host } = pod
  const volumes = volumesOf(pod, manifests, around)
  const sidecars = new Map<string, Container>()
  const containers = new Map<string, Container>()
  const start = (container: ContainerSpec) => startContainer(runOf(container, pod, volumes, around))

  try {
    for (const each of spec.initContainers ?? []) {
      const container = await start(each)
      if (each.restartPolicy === 'Always') {
        sidecars.set(each.name, container)
        await passes(each, 'startupProbe', container)
      } else {
        const [code] = await container.exited
        if (code !== 0)
          throw new Error(`${name}/${each.name} exited with ${code}: ${said(container)}`)
      }
    }
    for (const each of spec.containers) {
      const container = await start(each)
      containers.set(each.name, container)
      await passes(each, 'startupProbe', container)
      await passes(each, 'readinessProbe', container)
    }
  } catch (error) {
    for (const each of [...containers.values(), ...sidecars.values()]) await each.kill('SIGKILL')
    throw error
  }
  let ending: Promise<Record<string, number | null>> | undefined
  return {
    name,
    address: host.address,
    containers: new Map([...sidecars, ...containers]),
    probe: kind => succeeds(spec.containers[0]!, kind),
    end: () => (ending ??= end())
  }

  /** Sidecars end after those that they serve. */
  async function end() {
    const codes: Record<string, number | null> = {}
    for (const group of [containers, sidecars])
      await Promise.all(
        [...group].map(async ([name, container]) => {
          codes[name] = await endOf(container, spec.terminationGracePeriodSeconds)
        })
      )
    return codes
  }

  async function passes(each: ContainerSpec, kind: ProbeKind, container: Container) {
    const isOver = () => container.child.exitCode !== null
    await until(
      async () => isOver() || (await succeeds(each, kind)),
      SECONDS,
      `the ${kind} of ${name}/${each.name} succeeds`
    )
    if (isOver()) throw new Error(`${name}/${each.name} has ended: ${said(container)}`)
  }

  async function succeeds(each: ContainerSpec, kind: ProbeKind): Promise<boolean> {
    const probe = each[kind]
    if (!probe) return true
    const { httpGet, tcpSocket } = probe
    const port = each.ports?.find(
      ({ name }) => name === (httpGet ?? tcpSocket)?.port
    )?.containerPort
    if (!port) throw new Error(`${each.name}: the ${kind} must name a port of the container`)
    return httpGet
      ? fetch(`http://${host.address}:${port}${httpGet.path}`).then(
          ({ ok }) => ok,
          () => false
        )
      : connects(port, host.address)
  }
}

type ProbeKind = 'startupProbe' | 'livenessProbe' | 'readinessProbe'

const said = ({ lines }: Container) => lines.slice(-10).join('\n')

async function endOf(container: Container, grace = GRACE_SECONDS): Promise<number | null> {
  await container.kill('SIGTERM')
  const timer = new AbortController()
  const late = pause(grace * 1_000, undefined, { signal: timer.signal }).then(
    () => container.kill('SIGKILL'),
    () => {} // It has ended in time.
  )
  const [code] = await container.exited
  timer.abort()
  await late
  return code
}

const connects = (port: number, host: string) =>
  new Promise<boolean>(resolve => {
    const socket = createConnection({ port, host })
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false))
    socket.on('connect', () => socket.destroy())
  })

/** A folder for each volume, which the user of the pod may read. */
function volumesOf(pod: Placed, manifests: Manifest[], { folder, secrets }: Surroundings) {
  const { runAsUser, runAsGroup } = pod.spec.securityContext
  return new Map(
    (pod.spec.volumes ?? []).map(({ name, secret, configMap }) => {
      const path = join(folder, pod.name, name)
      mkdirSync(path, { recursive: true })
      chownSync(path, runAsUser, runAsGroup)
      const files = secret
        ? secrets[secret.secretName]
        : ofKind<ConfigMap>(manifests, 'ConfigMap').find(
            ({ metadata }) => metadata.name === configMap?.name
          )?.data
      if ((secret || configMap) && !files)
        throw new Error(`${pod.name}: there is nothing for the volume ${name}`)
      for (const [file, text] of Object.entries(files ?? {})) {
        writeFileSync(join(path, file), text, { mode: 0o440 })
        chownSync(join(path, file), 0, runAsGroup)
      }
      return [name, path]
    })
  )
}

/** A container of a pod for the runtime. */
function runOf(
  container: ContainerSpec,
  pod: Placed,
  volumes: Map<string, string>,
  { images, secrets, hosts }: Surroundings
) {
  const name = /([^/]+?)(:[^/:]*)?$/.exec(container.image)![1]!
  const image = images[name]
  if (!image) throw new Error(`there must be an image for ${container.image}`)
  const env = { ...image.env, ...envOf(container, pod, secrets) }
  const [command, args] = [container.command, container.args].map(words =>
    words?.map(word => expand(word, env))
  )
  const { runAsUser: uid, runAsGroup: gid } = pod.spec.securityContext
  const mounts: Mount[] = (container.volumeMounts ?? []).map(({ name, mountPath, readOnly }) =>
    bind(volumes.get(name)!, mountPath, readOnly ? 'ro' : 'rw')
  )
  const ours = args ?? (command ? [] : image.command)
  return {
    root: image.root,
    mounts: [...image.mounts, bind(hosts, '/etc/hosts'), ...mounts],
    args: [...(command ?? image.entrypoint), ...ours],
    env,
    cwd: image.cwd,
    uid,
    gid,
    capabilities: container.securityContext.capabilities.add?.map(each => `CAP_${each}`),
    namespace: pod.host.namespace,
    hostname: pod.name
  }
}

function envOf(
  { env = [] }: ContainerSpec,
  { name, host }: Placed,
  secrets: ClusterOptions['secrets']
): Record<string, string> {
  const fields: Record<string, string> = {
    'metadata.name': name,
    'metadata.namespace': NAMESPACE,
    'spec.nodeName': host.name,
    'status.hostIP': host.address,
    'status.podIP': host.address
  }
  const values: Record<string, string> = {}
  for (const { name, value, valueFrom } of env) {
    const { fieldRef, secretKeyRef } = valueFrom ?? {}
    const found =
      (fieldRef && fields[fieldRef.fieldPath]) ??
      (secretKeyRef && secrets[secretKeyRef.name]?.[secretKeyRef.key]) ??
      (value === undefined ? undefined : expand(value, values))
    if (found === undefined) throw new Error(`there is no value for ${name}`)
    values[name] = found
  }
  return values
}
