// The Helm chart, run without a cluster: two hosts with a TURN server each, two registries and Redis, each
// pod in a network namespace, each container by a real runtime.

import { randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { findInstalled } from '../../build/installed.mjs'
import { findRedis } from '../../build/redis.mjs'
import { connect } from '../../client/index.ts'
import { afterTest, audio, cleanUp, opus, rtp, until } from '../helper.ts'
import { noContainers } from '../kit/container.ts'
import { noHelm, render } from '../kit/helm.ts'
import { type Image, baseImage, buildImage } from '../kit/image.ts'
import { type Cluster, startCluster } from '../kit/kubelet.ts'
import { obstacle } from '../kit/network-namespaces.ts'
import { secretIssuer } from '../tokens.ts'

const test = suite('chart')
cleanUp(test)

const SCOPES = 'observe create operate register rooms'
const VALUES = {
  'tokens.secret': 'tokens',
  'turn.secret': 'turn',
  'hosts.labels': { region: 'eu' },
  'hosts.drainDeadline': 60
}

const folder = mkdtempSync(join(tmpdir(), 'mafalda-chart-'))
let cluster: Cluster
let token: string

test.before(async () => {
  const issuer = secretIssuer()
  token = await issuer.issue({ scope: SCOPES, audience: 'mafalda' })
  const turnserver = { variable: 'TURNSERVER_BIN', package: 'coturn', use: 'The tests of deploy/' }
  await Promise.all([findRedis(), findInstalled('turnserver', turnserver)])
  const base: Image = baseImage(folder)
  const images = { mafalda: await buildImage(folder), redis: base, coturn: base }
  const secrets = {
    tokens: { 'token-secret': issuer.secret, token },
    turn: { 'turn-secret': randomBytes(32).toString('hex') }
  }
  cluster = await startCluster(await render(VALUES), {
    images,
    secrets
  })
})
test.after(async () => {
  await (cluster as Cluster | undefined)?.end()
  rmSync(folder, { recursive: true })
})

const named = (name: string) => cluster.pods.find(pod => pod.name === name)!
const registries = () => cluster.pods.filter(({ name }) => name.includes('-registry-'))

interface Place {
  host: string
  urls: string[]
  iceServers: { urls: string | string[]; username: string; credential: string }[]
  region: string
  epoch: number
}

/** A store that is new answers 503 at first, and the registry says when to come again. */
const room = (name: string, registry = registries()[0]!): Promise<Place> =>
  until(async () => {
    const response = await fetch(`http://${registry.address}:4000/rooms/${name}`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: '{}'
    })
    const answer = await response.json()
    if (response.status === 503 && response.headers.has('retry-after')) return undefined
    assert.ok(response.ok, JSON.stringify(answer))
    return answer as Place
  })

async function application(url: string) {
  const mediasoup = await connect(url, { token })
  afterTest(() => mediasoup.close())
  return mediasoup
}

/** A socket of a participant, and what comes in there. */
async function participant() {
  const socket = createSocket('udp4').bind(0, cluster.address)
  await once(socket, 'listening')
  afterTest(() => void socket.close())
  return socket
}

test('a host is in the place of its pod, with its label, and both registries know it', async () => {
  for (const registry of registries()) {
    const hosts = await until(async () => {
      const response = await fetch(`http://${registry.address}:4000/hosts`, {
        headers: { authorization: `Bearer ${token}` }
      })
      const { hosts } = (await response.json()) as { hosts: { id: string; state: string }[] }
      return hosts.filter(({ state }) => state === 'up').length === 2 && hosts
    })
    assert.equal(hosts.map(({ id }) => id).toSorted(), ['mafalda-media-0', 'mafalda-media-1'])
  }
})

test('who has no token gets no room', async () => {
  const response = await fetch(`http://${registries()[0]!.address}:4000/rooms/mine`, {
    method: 'PUT'
  })
  assert.is(response.status, 401)
})

test('a room is at one host, whichever registry is asked, and media flows there', async () => {
  const place = await room('daily')
  assert.is(place.region, 'eu')
  // Whose credentials are others each time.
  const other = await room('daily', registries()[1])
  assert.equal({ ...other, iceServers: undefined }, { ...place, iceServers: undefined })
  assert.match(JSON.stringify(place.iceServers), `turn:${named(place.host).address}:3478`)
  assert.match(place.urls[0]!, `${place.host}.mafalda-media.media.svc`)

  const mediasoup = await application(cluster.reach(place.urls[0]!))
  const worker = await mediasoup.createWorker()
  const router = await worker.createRouter({ mediaCodecs: [opus] })
  const listenInfo = { protocol: 'udp', ip: '0.0.0.0' } as const
  const [from, to] = [
    await router.createPlainTransport({ listenInfo, comedia: true }),
    await router.createPlainTransport({ listenInfo })
  ]
  assert.is(from.tuple.localAddress, named(place.host).address)
  assert.ok(from.tuple.localPort >= 40_000 && from.tuple.localPort <= 48_999)
  const producer = await from.produce(audio())
  const [speaker, listener] = [await participant(), await participant()]
  await to.connect({ ip: cluster.address, port: listener.address().port })
  await to.consume({ producerId: producer.id, rtpCapabilities: router.rtpCapabilities })
  let packets = 0
  listener.on('message', () => packets++)
  let sequence = 0
  await until(() => {
    speaker.send(rtp(++sequence), from.tuple.localPort, from.tuple.localAddress)
    return packets > 0
  })
})

test('a registry is a tier over all hosts', async () => {
  const mediasoup = await application(`ws://${registries()[1]!.address}:4000`)
  const worker = await mediasoup.createWorker()
  await worker.createRouter()
})

test('a pod that is deleted drains: it lives, is not ready, and ends when it is empty', async () => {
  const place = await room('moving')
  const mediasoup = await application(cluster.reach(place.urls[0]!))
  const worker = await mediasoup.createWorker()
  const pod = named(place.host)
  assert.is(await pod.probe('readinessProbe'), true)
  const draining = once(mediasoup.connection, 'draining')
  const ended = pod.end()
  await draining
  assert.is(await pod.probe('readinessProbe'), false)
  assert.is(await pod.probe('livenessProbe'), true)

  assert.is(pod.containers.get('turn')!.child.exitCode, null)

  const next = await until(async () => {
    const answer = await room('another')
    return answer.host !== place.host && answer
  })
  assert.is.not(next.host, place.host)
  worker.close()
  const codes = await ended
  assert.equal(codes, { mafalda: 0, turn: 0 })

  const moved = await until(async () => {
    const answer = await room('moving')
    return answer.epoch === place.epoch + 1 && answer
  })
  assert.is.not(moved.host, place.host)
})

test('all ends by SIGTERM, in the time that each has', async () => {
  for (const codes of await cluster.end())
    assert.ok(
      Object.values(codes).every(code => code === 0),
      JSON.stringify(codes)
    )
})

const reason = noContainers() ?? noHelm() ?? obstacle()
if (reason) console.log(`skipped: ${reason}`)
else test.run()
