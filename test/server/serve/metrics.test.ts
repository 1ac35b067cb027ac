// /metrics: what it counts, who may read it, and that it names nobody.

import { execFileSync } from 'node:child_process'
import { request } from 'node:http'
import * as localMediasoup from 'mediasoup'
import { pino } from 'pino'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { findPromtool } from '../../../build/prometheus.mjs'
import { connect, remote } from '../../../client/index.ts'
import type { Tier } from '../../../lib/tier.ts'
import { encodeResult } from '../../../lib/wire.ts'
import { horizontal, vertical } from '../../../proxy/index.ts'
import { type ServeOptions, leaf, serve } from '../../../server/index.ts'
import { BOUNDS, CallCounts } from '../../../server/serve/metrics/calls.ts'
import { authority } from '../../certificates.ts'
import {
  afterTest,
  audio,
  cleanUp,
  opus,
  raw,
  rejection,
  rtp,
  startLeaf,
  until
} from '../../helper.ts'
import { startRelay } from '../../relay.ts'
import { AUDIENCE, secretIssuer } from '../../tokens.ts'

cleanUp(test)

const logger = pino({ level: 'silent' })

async function open(options: ServeOptions = {}, tier: Tier = leaf(localMediasoup)) {
  const server = await serve(tier, { metrics: true, logger, ...options })
  afterTest(() => {
    tier.close()
    return server.close()
  })
  return { server, tier, url: server.url, read: () => read(server.url) }
}

async function use(url: string, options = {}) {
  const mediasoup = await connect(url, options)
  afterTest(() => mediasoup.close())
  return mediasoup
}

/** A request whose Host may be another one, which fetch() does not allow. */
function ask(url: string, { path = '/metrics', headers = {} } = {}) {
  return new Promise<{ status: number; text: string; type: string }>((resolve, reject) =>
    request(url.replace(/^ws/, 'http') + path, { headers, agent: false }, async response => {
      let text = ''
      for await (const chunk of response) text += chunk
      resolve({
        status: response.statusCode!,
        text,
        type: String(response.headers['content-type'])
      })
    })
      .on('error', reject)
      .end()
  )
}

/** Each sample by its name and labels, as they are written. */
async function read(url: string) {
  const { status, text } = await ask(url)
  assert.is(status, 200, text)
  const samples = text.split('\n').filter(line => line && !line.startsWith('#'))
  const values = new Map(
    samples.map(line => {
      const at = line.lastIndexOf(' ')
      return [line.slice(0, at).replace('mafalda_', ''), Number(line.slice(at + 1))] as const
    })
  )
  return { text, get: (name: string) => values.get(name) }
}

test('without the option, there are none', async () => {
  const { url } = await open({ metrics: false })
  assert.is((await ask(url)).status, 426)
})

test('Prometheus understands them, and its linter has nothing to say about ours', async () => {
  const { url } = await open()
  const mediasoup = await use(url)
  await mediasoup.createWorker()
  const { type, text } = await ask(url)
  assert.match(type, /^text\/plain; version=0\.0\.4/)
  const ours = text.split('\n').filter(line => line.includes('mafalda_'))
  execFileSync(await findPromtool(), ['check', 'metrics'], { input: `${ours.join('\n')}\n` })
  for (const name of ['process_cpu_seconds_total', 'nodejs_eventloop_lag_p99_seconds'])
    assert.match(text, `\n${name} `)
})

test('calls are counted by method and outcome, with how long they took', async () => {
  const { url, read } = await open({ limits: { routers: 1 } })
  const mediasoup = await use(url)
  const worker = await mediasoup.createWorker()
  const router = await worker.createRouter({ mediaCodecs: [opus] })
  for (let i = 0; i < 3; i++) await router.dump()
  await rejection(worker.createRouter()) // There may be one.
  const listenInfos = [{ protocol: 'udp' as const, ip: '192.0.2.7' }] // No address of this host.
  await rejection(router.createWebRtcTransport({ listenInfos }))
  const { get } = await read()
  const calls = (method: string, outcome: string) =>
    get(`calls_total{method="${method}",outcome="${outcome}"}`)
  assert.is(calls('Router.dump', 'ok'), 3)
  assert.is(calls('Worker.createRouter', 'ok'), 1)
  assert.is(calls('Worker.createRouter', 'refused'), 1)
  assert.is(calls('Router.createWebRtcTransport', 'error'), 1)
  assert.is(calls('Router.close', 'ok'), undefined)
  assert.is(get('call_duration_seconds_count{method="Router.dump"}'), 3)
  assert.is(get('call_duration_seconds_bucket{method="Router.dump",le="+Inf"}'), 3)
  assert.ok(get('call_duration_seconds_sum{method="Router.dump"}')! > 0)
  assert.is(get('limits_hit_total{limit="objects"}'), 1)
  assert.is(get('calls_in_flight'), 0)
})

test('buckets of a duration hold what took at most as long', async () => {
  const { url, read } = await open()
  const mediasoup = await use(url)
  const worker = await mediasoup.createWorker()
  for (let i = 0; i < 20; i++) await worker.dump()
  const { text } = await read()
  const buckets = [
    ...text.matchAll(/call_duration_seconds_bucket\{method="Worker.dump",le="(.*)"\} (\d+)/g)
  ].map(([, le, count]) => [le, Number(count)] as const)
  assert.is(buckets.at(-1)![1], 20)
  const counts = buckets.map(([, count]) => count)
  assert.equal(
    counts,
    counts.toSorted((one, other) => one - other)
  )
})

test('an answer is a result or an error, whatever the id of its request is', async () => {
  const { url, read } = await open()
  const peer = await raw(url)
  const ids = ['a', ',"error":{"code":-32011', '"', '\\",', 1e21, 0.5, -1]
  for (const id of ids) {
    await peer.answer({ jsonrpc: '2.0', id, method: 'tier.hello', params: [] })
    const { error } = await peer.answer({
      jsonrpc: '2.0',
      id,
      method: 'Router.dump',
      params: ['k/1']
    })
    assert.ok(error)
  }
  const { get } = await read()
  assert.is(get('calls_total{method="tier.hello",outcome="ok"}'), ids.length)
  assert.is(get('calls_total{method="tier.hello",outcome="error"}'), 0)
  assert.is(get('calls_total{method="Router.dump",outcome="error"}'), ids.length)
})

test('a duration is in the first bucket that holds it, and above all in the last', () => {
  const counts = new CallCounts().asked({ method: 'Router.dump' })
  for (const seconds of [...BOUNDS, 60])
    counts.answered(encodeResult(1, {}) as string, 1, seconds * 1_000)
  assert.equal(
    [...counts.buckets],
    [...BOUNDS, 60].map(() => 1)
  )
  assert.is(counts.sum, 1_000 * [...BOUNDS, 60].reduce((sum, seconds) => sum + seconds))
})

test('what is no method of the model is other, whatever it is called', async () => {
  const { url, read } = await open()
  const peer = await raw(url)
  const names = ['Room.secret-4711', '__proto__', 'constructor', 'toString']
  for (const name of names) assert.ok((await peer.call(name)).error)
  const { text, get } = await read()
  const outcomes = ['error', 'refused'].map(
    outcome => get(`calls_total{method="other",outcome="${outcome}"}`) ?? 0
  )
  assert.is(outcomes[0]! + outcomes[1]!, names.length)
  for (const name of names) assert.not.match(text, name)
})

test('a call whose session ends first is unanswered', async () => {
  const { url, read } = await open({}, waiting())
  const peer = await raw(url)
  peer.send({ jsonrpc: '2.0', id: 1, method: 'Router.dump', params: ['k3x/1'] })
  await until(async () => (await read()).get('calls_in_flight') === 1)
  peer.socket.terminate()
  await until(async () => (await read()).get('sessions') === 0)
  const { get } = await read()
  assert.is(get('calls_total{method="Router.dump",outcome="unanswered"}'), 1)
  assert.is(get('calls_in_flight'), 0)
  assert.is(get('sessions_closed_total{reason="lost"}'), 1)
})

/** A tier that answers nothing. */
function waiting(): Tier {
  const tier = leaf(localMediasoup)
  return {
    ...tier,
    async open(options) {
      const link = await tier.open(options)
      link.send = () => {}
      return link
    }
  }
}

test('sessions, connections, messages and bytes are counted', async () => {
  const { url, server, read } = await open()
  const relay = await startRelay(url)
  const mediasoup = await use(relay.url)
  await mediasoup.createWorker()
  const before = await read()
  assert.is(before.get('sessions'), 1)
  assert.is(before.get('connections'), 1)
  assert.ok(before.get('bytes_total{direction="in"}')! > 100)
  assert.ok(
    before.get('bytes_total{direction="out"}')! > before.get('bytes_total{direction="in"}')!
  )
  assert.ok(before.get('messages_total{direction="in"}')! >= 2)

  relay.breakAll()
  await until(async () => (await read()).get('sessions_resumed_total') === 1)
  const resumed = await read()
  assert.is(resumed.get('sessions_interrupted_total'), 1)
  assert.is(resumed.get('sessions_disconnected'), 0)
  assert.is(resumed.get('sessions'), 1)
  assert.is(resumed.get('sessions_opened_total'), 1)
  assert.is(resumed.get('connections_total'), 2)
  assert.ok(
    resumed.get('bytes_total{direction="in"}')! > before.get('bytes_total{direction="in"}')!
  )

  mediasoup.close()
  await until(() => server.sessions === 0)
  assert.is((await read()).get('sessions_closed_total{reason="client"}'), 1)
})

test('a leaf tells what its host has, and that it drains', async () => {
  const { url, tier, read } = await open()
  const mediasoup = await use(url)
  const worker = await mediasoup.createWorker()
  const router = await worker.createRouter({ mediaCodecs: [opus] })
  const direct = await router.createDirectTransport()
  await direct.produce(audio())
  const { get } = await read()
  const kinds = ['Worker', 'Router', 'DirectTransport', 'Producer', 'Consumer', 'PipeTransport']
  assert.equal(
    kinds.map(kind => get(`objects{kind="${kind}"}`)),
    [1, 1, 1, 1, 0, 0]
  )
  assert.is(get('workers'), 1)
  assert.is(get('draining'), 0)
  assert.is(get('children{state="up"}'), undefined)
  process.kill(worker.pid, 'SIGKILL')
  await until(async () => (await read()).get('worker_deaths_total') === 1)
  const { drain } = tier as ReturnType<typeof leaf>
  drain.start()
  assert.is((await read()).get('draining'), 1)
})

test('a leaf tells what went over its pipes, which are asked when metrics are read', async () => {
  const { url, read } = await open()
  const mediasoup = await use(url)
  const createRouter = async () =>
    (await mediasoup.createWorker()).createRouter({ mediaCodecs: [opus] })
  const routers = [await createRouter(), await createRouter()] as const
  const direct = await routers[0].createDirectTransport()
  const producer = await direct.produce(audio())
  const { pipeConsumer } = await routers[0].pipeToRouter({
    producerId: producer.id,
    router: routers[1]
  })
  let sequence = 0
  await until(async () => {
    producer.send(rtp(++sequence))
    const { get } = await read()
    return (
      get('pipe_bytes_total{direction="in"}')! > 0 && get('pipe_bytes_total{direction="out"}')! > 0
    )
  })
  const before = (await read()).get('pipe_bytes_total{direction="in"}')!
  pipeConsumer!.close()
  for (const router of routers) router.close()
  await until(async () => (await read()).get('objects{kind="PipeTransport"}') === 0)
  assert.ok((await read()).get('pipe_bytes_total{direction="in"}')! >= before)
})

test('a cluster tells in which state the tiers below are', async () => {
  const below = await open()
  const hosts = [remote(below.url), remote('ws://127.0.0.1:9')]
  const { read } = await open({}, vertical(horizontal(hosts)))
  await until(async () => (await read()).get('children{state="up"}') === 1)
  const { get, text } = await read()
  assert.is(get('children{state="down"}'), 1)
  assert.is(get('children{state="lost"}'), 0)
  assert.ok(get('capacity_cores')! > 0)
  assert.is(get('objects{kind="Worker"}'), undefined)
  assert.match(text, /build_info\{version="[\d.]+",mediasoup="3\.[\d.]+",tier="vertical",node="/)
})

test('who asks from this host may read them, and through a proxy only who may operate the tier', async () => {
  const { key, issue } = secretIssuer()
  const tokens = { secret: key, audience: AUDIENCE }
  const { url, read } = await open({ tokens })
  const proxied = { 'x-forwarded-for': '192.0.2.7' }
  const status = async (headers: object) => (await ask(url, { headers: { ...headers } })).status
  const bearer = async (scope: string) => ({ authorization: `Bearer ${await issue({ scope })}` })

  assert.is(await status({}), 200)
  assert.is(await status(proxied), 401)
  assert.is(await status({ ...proxied, authorization: 'Bearer nonsense' }), 401)
  assert.is(await status({ ...proxied, ...(await bearer('observe create')) }), 403)
  assert.is(await status({ ...proxied, ...(await bearer('operate')) }), 200)
  // A page that has bound its name to this host.
  assert.is(await status({ host: 'pages.example:4000' }), 401)
  assert.is(await status({ origin: 'http://127.0.0.1:4000' }), 401)
  const { get } = await read()
  assert.is(get('refused_total{reason="token"}'), 4)
  assert.is(get('refused_total{reason="forbidden"}'), 1)
})

test('a balancer that is trusted is no program of this host', async () => {
  const { key } = secretIssuer()
  const tokens = { secret: key, audience: AUDIENCE }
  const { url } = await open({ tokens, trustProxy: ['127.0.0.1'] })
  assert.is((await ask(url)).status, 401)
})

test('refusals are counted by reason, with those that the audit leaves out', async () => {
  const { key } = secretIssuer()
  const { url, read } = await open({ tokens: { secret: key, audience: AUDIENCE } })
  for (let i = 0; i < 19; i++) await rejection(connect(url, { token: 'wrong', reconnect: false }))
  await rejection(raw(url, { headers: { origin: 'https://pages.example' } }))
  const { get } = await read()
  assert.is(get('refused_total{reason="token"}'), 19)
  assert.is(get('refused_total{reason="forbidden"}'), 1)
})

test('limits that clients meet are counted: at the upgrade, by the host, and when they end a session', async () => {
  const host = leaf(localMediasoup, { maxWorkers: 1 })
  const { url, read } = await open({ limits: { sessionsPerAddress: 1, rate: 5 } }, host)
  const peer = await raw(url)
  await rejection(raw(url))
  await peer.call('mediasoup.createWorker')
  assert.ok((await peer.call('mediasoup.createWorker')).error)
  const hit = async (limit: string) => (await read()).get(`limits_hit_total{limit="${limit}"}`)
  assert.is(await hit('sessions'), 1)
  assert.is(await hit('exhausted'), 1)
  for (let id = 0; id < 50; id++)
    peer.send({ jsonrpc: '2.0', id, method: 'tier.hello', params: [] })
  await until(async () => (await hit('rate'))! > 0)
})

test('bytes are counted where there is TLS, too', async () => {
  const { ca, issue } = await authority()
  const { server, url } = await open({ metricsListen: { port: 0 }, tls: await issue('tier') })
  const mediasoup = await use(url, { tls: { ca } })
  await mediasoup.createWorker()
  const { get } = await read(server.metricsUrl!)
  for (const direction of ['in', 'out'])
    assert.ok(get(`bytes_total{direction="${direction}"}`)! > 100, direction)
})

test('on a listener of their own, everybody who reaches it may read them, and nothing else', async () => {
  const { ca, issue } = await authority()
  const { key } = secretIssuer()
  const { server, url } = await open({
    metrics: false,
    metricsListen: { port: 0 },
    tls: { ...(await issue('tier')), ca },
    tokens: { secret: key, audience: AUDIENCE }
  })
  assert.ok(url.startsWith('wss://'))
  const metricsUrl = server.metricsUrl!
  const forwarded = await ask(metricsUrl, { headers: { 'x-forwarded-for': '192.0.2.7' } })
  assert.is(forwarded.status, 200)
  assert.match(forwarded.text, '\nmafalda_sessions 0\n')
  for (const path of ['/', '/healthz', '/metrics/', '/metrics?x'])
    assert.is((await ask(metricsUrl, { path })).status, 404, path)
  await server.close()
  await rejection(ask(metricsUrl))
})

test('a port of their own that is taken is said', async () => {
  const { url } = await open()
  const port = Number(new URL(url).port)
  const error = await rejection(serve(leaf(localMediasoup), { metricsListen: { port } }))
  assert.match(error.message, /^the listener for metrics cannot listen: .*EADDRINUSE/)
})

test('they name no client, no room and no object', async () => {
  const { key, issue } = secretIssuer()
  const { url, server } = await open({ tokens: { secret: key, audience: AUDIENCE } })
  const mediasoup = await use(url, { token: await issue({ sub: 'alice-7f3' }) })
  const appData = { room: 'room-7f3', participant: 'participant-7f3' }
  const worker = await mediasoup.createWorker({ appData })
  const router = await worker.createRouter({ mediaCodecs: [opus], appData })
  const direct = await router.createDirectTransport({ appData })
  const producer = await direct.produce({ ...audio(), appData })
  const { text } = await ask(url)
  const { node } = await mediasoup.connection.locate(worker)
  assert.match(text, `node="${node}"`)
  for (const secret of ['7f3', router.id, direct.id, producer.id, `${node}/`, String(worker.pid)])
    assert.not.match(text, new RegExp(`[^.\\d]${secret}(?![.\\d])`), secret)
  assert.is(server.sessions, 1)
})

test('mafalda serve has them with --metrics and --metrics-listen', async () => {
  const { url, lines } = await startLeaf(['--metrics', '--metrics-listen', '127.0.0.1:0'])
  const { metrics } = JSON.parse(lines.find(line => line.includes('"listening"'))!)
  for (const each of [url, metrics]) assert.is((await ask(each)).status, 200)
})

test.run()
