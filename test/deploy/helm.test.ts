// The Helm chart: for many values, what it makes is what Kubernetes takes, and belongs together.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { cleanUp, run } from '../helper.ts'
import { CHART, type Manifest, type Values, helm, noHelm, render } from '../kit/helm.ts'

const test = suite('helm')
cleanUp(test)

const TURN: Values = { 'turn.secret': 'turn' }
const base: Values = { insecure: true, ...TURN }

/** What people set, alone and together. */
const matrix: Record<string, Values> = {
  insecure: base,
  'a shared secret': { 'tokens.secret': 'tokens', ...TURN },
  'public keys, and no TURN': {
    'tokens.secret': 'tokens',
    'tokens.key': 'jwks',
    'turn.enabled': false
  },
  'TLS and tokens': {
    'tls.secret': 'tls',
    'tls.clientCertificates': false,
    'tokens.secret': 'tokens',
    ...TURN
  },
  'client certificates': { 'tls.secret': 'tls', ...TURN },
  'an address of each node': { ...base, 'hosts.announcedAddressScript': 'echo "$HOST_IP"' },
  'an address of each node, and no TURN': {
    ...base,
    'turn.enabled': false,
    'hosts.announcedAddressScript': 'echo "$HOST_IP"'
  },
  'one Redis of its own': { ...base, 'redis.url': 'redis://redis.example:6379' },
  'a Redis with a password': { ...base, 'redis.secret': 'redis' },
  KEDA: { ...base, 'autoscaling.kind': 'keda', 'serviceMonitor.enabled': true },
  'the autoscaler of Kubernetes': {
    ...base,
    'autoscaling.kind': 'hpa',
    'autoscaling.behaviorTolerance': true
  },
  everything: {
    ...base,
    imagePullSecrets: [{ name: 'registry' }],
    'hosts.labels': { region: 'eu' },
    'hosts.nodeSelector': { media: 'yes' },
    'hosts.tolerations': [{ key: 'media', operator: 'Exists' }],
    'hosts.affinity': { podAntiAffinity: {} },
    'hosts.priorityClassName': 'media',
    'hosts.podAnnotations': { a: 'b' },
    'hosts.resources': { requests: { cpu: '4' } },
    'hosts.extraArgs': ['--share-workers'],
    'registry.nodeSelector': { zone: 'a' },
    'registry.tolerations': [{ key: 'entry', operator: 'Exists' }],
    'registry.trustProxy': ['10.0.0.1'],
    'registry.extraArgs': ['--log-level=debug'],
    'registry.podAnnotations': { a: 'b' },
    'registry.service.annotations': { a: 'b' },
    'registry.ingress': {
      enabled: true,
      className: 'nginx',
      host: 'media.example',
      tlsSecret: 'media-tls',
      annotations: { a: 'b' }
    },
    'networkPolicy.clients': [{ podSelector: { matchLabels: { app: 'rooms' } } }],
    'networkPolicy.metrics': [{ namespaceSelector: {} }],
    'networkPolicy.egress': [{ ports: [{ port: 443 }] }],
    'serviceMonitor.enabled': true,
    'serviceMonitor.labels': { release: 'prometheus' }
  },
  'one registry, and no policies': {
    ...base,
    'registry.replicas': 1,
    'registry.vertical': false,
    'networkPolicy.enabled': false
  }
}

/** Where the types of each kind are. */
const MODELS: Record<string, string> = {
  StatefulSet: 'kubernetes-models/apps/v1',
  Deployment: 'kubernetes-models/apps/v1',
  Service: 'kubernetes-models/v1',
  ConfigMap: 'kubernetes-models/v1',
  Ingress: 'kubernetes-models/networking.k8s.io/v1',
  NetworkPolicy: 'kubernetes-models/networking.k8s.io/v1',
  PodDisruptionBudget: 'kubernetes-models/policy/v1',
  HorizontalPodAutoscaler: 'kubernetes-models/autoscaling/v2',
  ServiceMonitor: '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1',
  ScaledObject: '@kubernetes-models/keda/keda.sh/v1alpha1'
}

interface Container {
  name: string
  args?: string[]
  ports?: { name: string; containerPort: number }[]
  securityContext?: unknown
  volumeMounts?: { name: string; mountPath: string }[]
  livenessProbe?: Probe
  readinessProbe?: Probe
}
interface Probe {
  httpGet?: { path: string; port: string }
}
interface Workload extends Manifest {
  spec: {
    replicas?: number
    selector: { matchLabels: Record<string, string> }
    template: {
      metadata: { labels: Record<string, string> }
      spec: {
        terminationGracePeriodSeconds?: number
        containers: Container[]
        initContainers?: Container[]
        volumes?: { name: string }[] | null
      }
    }
  }
}
interface Service extends Manifest {
  spec: { selector: Record<string, string>; ports: { targetPort: string }[] }
}

const isWorkload = (each: Manifest): each is Workload =>
  ['StatefulSet', 'Deployment'].includes(each.kind)
const workloadsOf = (manifests: Manifest[]) => manifests.filter(isWorkload)
const containersOf = ({ spec: { template } }: Workload) => [
  ...template.spec.containers,
  ...(template.spec.initContainers ?? [])
]

const rendered = new Map<string, Manifest[]>()
test.before(async () => {
  for (const [name, values] of Object.entries(matrix)) rendered.set(name, await render(values))
})

test('helm lint has no complaint, whatever the values are', async () => {
  for (const values of Object.values(matrix))
    assert.match(await helm(['lint', '--strict', CHART], values), '0 chart(s) failed')
})

test('a value that has no meaning, or a wrong one, is refused with a sentence', async () => {
  const refusals: [Values, RegExp][] = [
    [{ insecure: false }, /whoever reaches the tiers could use them/],
    [{ 'tls.secret': 'tls', 'tls.clientCertificates': false, insecure: false }, /could use them/],
    [{ 'turn.secret': '' }, /turn\.secret/],
    [{ 'hosts.replicaz': 3 }, /'replicaz' not allowed/],
    [{ 'hosts.replicas': 'three' }, /hosts\/replicas/],
    [{ 'registry.replicas': 0 }, /registry\/replicas/],
    [{ 'tokens.key': 'password' }, /tokens\/key/],
    [{ 'redis.url': 'redis://:secret@redis:6379' }, /redis\/url/],
    [{ 'autoscaling.kind': 'cron' }, /autoscaling\/kind/],
    [
      { 'autoscaling.kind': 'keda', 'autoscaling.behaviorTolerance': true },
      /a ScaledObject has no tolerance/
    ],
    [{ 'turn.relayPorts': { min: 48000, max: 50000 } }, /mediaPorts and turn\.relayPorts/]
  ]
  for (const [values, sentence] of refusals) {
    const said = await render({ ...base, ...values }).then(
      () => 'nothing',
      ({ message }: Error) => message
    )
    assert.match(said, sentence)
  }
})

/** What the type checker says of manifests as literals, in which it knows each key. */
function typeErrors(manifests: Manifest[]): string {
  const folder = mkdtempSync(fileURLToPath(new URL('../../node_modules/.chart-', import.meta.url)))
  try {
    const lines = manifests.map(
      each =>
        `void (${JSON.stringify(each)} satisfies import('${MODELS[each.kind]}').I${each.kind})`
    )
    writeFileSync(join(folder, 'chart.ts'), `${lines.join('\n')}\nexport {}\n`)
    const tsc = fileURLToPath(new URL('../../node_modules/.bin/tsc', import.meta.url))
    const options = '--noEmit --strict --skipLibCheck --module nodenext --types node --ignoreConfig'
    const { stdout } = spawnSync(tsc, [...options.split(' '), 'chart.ts'], {
      cwd: folder,
      encoding: 'utf8'
    })
    return stdout
  } finally {
    rmSync(folder, { recursive: true })
  }
}

test('each object is one of Kubernetes, or of the operators, with no unknown key', async () => {
  const all = [...rendered.values()].flat()
  assert.equal(
    all.filter(({ kind }) => !MODELS[kind]),
    []
  )
  assert.is(typeErrors(all), '')
  for (const each of all) {
    const models = await import(MODELS[each.kind]!)
    new models[each.kind](each).validate() // Throws.
  }
})

test('an unknown key would be found, at any depth', () => {
  const deployment = workloadsOf(rendered.get('insecure')!)[0]!
  const { containers } = deployment.spec.template.spec
  assert.match(typeErrors([{ ...deployment, replicaz: 2 } as Manifest]), 'replicaz')
  const [first] = containers as [Container]
  first.ports![0] = { ...first.ports![0]!, containerPor: 1 } as never
  try {
    assert.match(typeErrors([deployment]), 'containerPor')
  } finally {
    delete (first.ports![0] as Partial<Record<'containerPor', number>>).containerPor
  }
})

test('names lead to what is there: selectors, ports and volumes', () => {
  for (const manifests of rendered.values()) {
    const workloads = workloadsOf(manifests)
    for (const { spec } of workloads) {
      const { metadata, spec: pod } = spec.template
      assert.ok(selects(spec.selector.matchLabels, metadata.labels))
      const volumes = (pod.volumes ?? []).map(({ name }) => name)
      const mounts = [...pod.containers, ...(pod.initContainers ?? [])].flatMap(
        ({ volumeMounts }) => volumeMounts ?? []
      )
      assert.equal([...new Set(mounts.map(({ name }) => name))].toSorted(), volumes.toSorted())
    }
    for (const { spec, kind } of manifests as Service[]) {
      if (kind !== 'Service') continue
      const pods = workloads.filter(({ spec: { template } }) =>
        selects(spec.selector, template.metadata.labels)
      )
      assert.is(pods.length, 1)
      const ports = containersOf(pods[0]!).flatMap(({ ports }) => ports ?? [])
      for (const { targetPort } of spec.ports)
        assert.ok(ports.some(({ name }) => name === targetPort))
    }
  }
})

const selects = (selector: Record<string, string>, labels: Record<string, string>) =>
  Object.entries(selector).every(([name, value]) => labels[name] === value)

test('no container has more rights than it needs, and no pod those of Kubernetes', () => {
  for (const workload of [...rendered.values()].flatMap(workloadsOf)) {
    const { spec } = workload.spec.template as { spec: Record<string, unknown> }
    assert.is(spec.automountServiceAccountToken, false)
    const { runAsNonRoot, seccompProfile } = spec.securityContext as Record<string, unknown>
    assert.is(runAsNonRoot, true)
    assert.equal(seccompProfile, { type: 'RuntimeDefault' })
    for (const { name, securityContext } of containersOf(workload))
      assert.equal(securityContext, {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        // The program in coturn's image is marked with this one, and would not start without.
        capabilities: { drop: ['ALL'], ...(name === 'turn' && { add: ['NET_BIND_SERVICE'] }) }
      })
  }
})

test('a tier lives by /healthz, is ready by /readyz, and has the time that its drain takes', () => {
  for (const workload of [...rendered.values()].flatMap(workloadsOf)) {
    for (const { args = [], livenessProbe, readinessProbe } of containersOf(workload)) {
      if (!['serve', 'registry'].includes(args[0]!)) continue
      assert.equal(livenessProbe?.httpGet, { path: '/healthz', port: 'health' })
      assert.equal(readinessProbe?.httpGet, { path: '/readyz', port: 'health' })
      const [deadline] = args.flatMap(arg => /^--drain-deadline=(\d+)$/.exec(arg)?.[1] ?? [])
      if (args[0] === 'serve')
        assert.is(workload.spec.template.spec.terminationGracePeriodSeconds, Number(deadline) + 15)
    }
  }
})

test('each option is one of the command', async () => {
  const options: Record<string, string[]> = {}
  for (const command of ['serve', 'registry']) {
    const { exited, lines } = run([command, '--help'])
    await exited
    options[command] = lines.flatMap(line => /^ {2}(--[a-z-]+)/.exec(line)?.[1] ?? [])
  }
  const containers = [...rendered.values()].flatMap(workloadsOf).flatMap(containersOf)
  for (const { name, args: [command, ...args] = [] } of containers) {
    if (name !== 'mafalda') continue
    const names = args.map(arg => arg.split('=')[0]!)
    assert.equal(
      names.filter(name => !options[command!]!.includes(name)),
      []
    )
  }
})

test('the TURN server has the configuration that is shipped beside the chart', () => {
  const map = rendered.get('insecure')!.find(({ kind }) => kind === 'ConfigMap')
  const { data } = map as Manifest & { data: Record<string, string> }
  const shipped = readFileSync(
    new URL('../../deploy/coturn/turnserver.conf', import.meta.url),
    'utf8'
  )
  assert.is(data['turnserver.conf']!.trim(), shipped.trim())
})

test('an autoscaler counts in the place of the StatefulSet', () => {
  for (const [name, manifests] of rendered) {
    const scaler = manifests.find(({ kind }) => /Autoscaler|ScaledObject/.test(kind))
    const hosts = workloadsOf(manifests).find(({ metadata }) => metadata.name.endsWith('-media'))!
    assert.is(hosts.spec.replicas, scaler ? undefined : 2, name)
  }
})

const reason = noHelm()
if (reason) console.log(`skipped: ${reason}`)
else test.run()
