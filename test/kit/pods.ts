// What manifests of Kubernetes say of pods, as far as charts of ours say it.

import type { Manifest } from './helm.ts'

export interface Probe {
  httpGet?: { path: string; port: string }
  tcpSocket?: { port: string }
}

export interface ContainerSpec {
  name: string
  image: string
  command?: string[]
  args?: string[]
  env?: { name: string; value?: string; valueFrom?: ValueFrom }[]
  ports?: { name: string; containerPort: number }[]
  volumeMounts?: { name: string; mountPath: string; readOnly?: boolean }[]
  securityContext: { capabilities: { add?: string[] } }
  restartPolicy?: string
  startupProbe?: Probe
  livenessProbe?: Probe
  readinessProbe?: Probe
}

export interface ValueFrom {
  fieldRef?: { fieldPath: string }
  secretKeyRef?: { name: string; key: string }
}

export interface Volume {
  name: string
  secret?: { secretName: string }
  configMap?: { name: string }
  emptyDir?: object
}

export interface PodSpec {
  terminationGracePeriodSeconds?: number
  securityContext: { runAsUser: number; runAsGroup: number }
  containers: ContainerSpec[]
  initContainers?: ContainerSpec[]
  volumes?: Volume[]
}

interface Workload extends Manifest {
  spec: {
    replicas: number
    template: { metadata: { labels: Record<string, string> }; spec: PodSpec }
  }
}

export interface Service extends Manifest {
  spec: {
    clusterIP?: string
    selector: Record<string, string>
    ports: { port: number; targetPort: string }[]
  }
}

export interface ConfigMap extends Manifest {
  data: Record<string, string>
}

/** One of the pods of a StatefulSet or a Deployment. */
export interface PodPlan {
  name: string
  labels: Record<string, string>
  spec: PodSpec
}

export const podsOf = (manifests: Manifest[]): PodPlan[] =>
  manifests
    .filter(({ kind }) => ['StatefulSet', 'Deployment'].includes(kind))
    .flatMap(workload => {
      const { metadata, spec } = workload as Workload
      const { template } = spec
      return Array.from({ length: spec.replicas }, (_, i) => ({
        name: `${metadata.name}-${i}`,
        labels: template.metadata.labels,
        spec: template.spec
      }))
    })

export const ofKind = <T extends Manifest>(manifests: Manifest[], kind: string) =>
  manifests.filter(each => each.kind === kind) as T[]

const selects = (selector: Record<string, string>, labels: Record<string, string>) =>
  Object.entries(selector).every(([name, value]) => labels[name] === value)

/** What the DNS of a cluster says, as a file of hosts: the pods of Services, and those by name. */
export function hostsFile(
  manifests: Manifest[],
  pods: { name: string; labels: Record<string, string>; address: string }[],
  namespace: string
): string {
  const lines = ofKind<Service>(manifests, 'Service').flatMap(({ metadata, spec }) => {
    const service = `${metadata.name}.${namespace}.svc`
    return pods
      .filter(({ labels }) => selects(spec.selector, labels))
      .map(({ name, address }) => `${address} ${name}.${service} ${service} ${metadata.name}`)
  })
  return ['127.0.0.1 localhost', ...lines, ''].join('\n')
}

/** As Kubernetes expands `$(NAME)`. */
export const expand = (text: string, env: Record<string, string>): string =>
  text.replace(/\$\((\w+)\)/g, (all, name) => env[name] ?? all)
